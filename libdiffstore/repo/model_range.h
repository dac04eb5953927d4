#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "delta/element.h"
#include "delta/stats.h"
#include "merge/merge_method.h"

namespace dstore {

/// The same bytes of the base and of every model, and their numbers window by window.
class ModelRange {
 public:
  ModelRange(DType dtype, std::size_t models) : dtype_(dtype), unit_(unit_type(dtype).bytes), bytes_(models + 1), views_(models + 1), values_(models + 1) {}

  /// `read(i, out)` reads the i-th source, the base first; sources without a tensor of their own share the base's bytes.
  template <class Read>
  void fill(std::size_t size, const std::vector<bool>& own, Read read) {
    size_ = size;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if (i > 0 && !own[i - 1]) {
        views_[i] = views_[0];
        continue;
      }
      bytes_[i].resize(size);
      read(i, MutableByteSpan(bytes_[i]));
      views_[i] = bytes_[i];
    }
  }
  bool changed() const {
    return std::any_of(views_.begin() + 1, views_.end(), [&](ByteSpan view) { return view.data() != views_[0].data() && std::memcmp(view.data(), views_[0].data(), size_) != 0; });
  }
  ByteSpan base() const { return views_[0]; }

  /// Calls visit(window, offset in bytes) for each, of whole rows.
  template <class Visit>
  void for_each_window(std::uint64_t first, std::uint64_t row, Visit visit) {
    std::vector<std::span<const double>> models(views_.size() - 1);
    const std::size_t step = std::max<std::size_t>(1, kWindow / row) * row * unit_;
    for (std::size_t at = 0; at < size_; at += step) {
      const std::size_t bytes = std::min(size_ - at, step);
      for (std::size_t i = 0; i < views_.size(); ++i) {
        values_[i].resize(bytes / unit_);
        if (i > 0 && views_[i].data() == views_[0].data()) {
          models[i - 1] = values_[0];
          continue;
        }
        read_doubles(dtype_, views_[i].subspan(at, bytes), values_[i]);
        if (i > 0) models[i - 1] = values_[i];
      }
      visit(MergeWindow{first + at / unit_, values_[0], models}, at);
    }
  }
  /// Whether a model has other bits than the base in the unit at `offset`.
  bool differs(std::size_t offset) const {
    return std::any_of(views_.begin() + 1, views_.end(), [&](ByteSpan view) { return std::memcmp(view.data() + offset, views_[0].data() + offset, unit_) != 0; });
  }

 private:
  static constexpr std::size_t kWindow = 1 << 14;  ///< elements that a method sees at once
  DType dtype_;
  std::size_t unit_;
  std::size_t size_ = 0;
  std::vector<Bytes> bytes_;
  std::vector<ByteSpan> views_;
  std::vector<std::vector<double>> values_;
};

}  // namespace dstore
