#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dstore {

/// dL/dθ of one tensor, as backward left it: dense, by rows (word embeddings: one compact row for each token that
/// occurred), or absent (no path from the loss). Valid until the next backward.
class Gradient {
 public:
  static Gradient dense(const float* data, std::size_t count) { return Gradient(data, nullptr, count, 0); }
  /// `slots`: for each row its index in `data`, or -1.
  static Gradient by_rows(const float* data, const std::int32_t* slots, std::size_t count, std::size_t width) {
    return Gradient(data, slots, count, width);
  }
  static Gradient absent(std::size_t count) { return Gradient(nullptr, nullptr, count, 0); }

  bool is_by_rows() const { return slots_ != nullptr; }
  std::size_t count() const { return count_; }
  std::size_t width() const { return width_; }
  bool row_is_zero(std::size_t row) const { return slots_ != nullptr && slots_[row] < 0; }

  float at(std::size_t element) const {
    if (data_ == nullptr) return 0;
    if (slots_ == nullptr) return data_[element];
    const std::int32_t slot = slots_[element / width_];
    return slot < 0 ? 0 : data_[static_cast<std::size_t>(slot) * width_ + element % width_];
  }

  /// The tensor cut into runs of neighbouring elements: rows of a tensor by rows, else pieces of kRun elements.
  struct Run {
    std::size_t first;
    std::size_t count;
    const float* gradient;  ///< never null
  };
  static constexpr std::size_t kRun = 4096;
  std::size_t runs() const { return is_by_rows() ? count_ / width_ : (count_ + kRun - 1) / kRun; }
  Run run(std::size_t index) const {
    const std::size_t length = is_by_rows() ? width_ : kRun;
    const std::size_t first = index * length;
    const std::size_t count = std::min(length, count_ - first);
    if (data_ == nullptr || row_is_zero(index)) return {first, count, zeros(length)};
    return {first, count, data_ + (is_by_rows() ? static_cast<std::size_t>(slots_[index]) * width_ : first)};
  }

 private:
  Gradient(const float* data, const std::int32_t* slots, std::size_t count, std::size_t width)
      : data_(data), slots_(slots), count_(count), width_(width) {}
  static const float* zeros(std::size_t count) {
    thread_local std::vector<float> zero;
    if (zero.size() < count) zero.assign(count, 0.0f);
    return zero.data();
  }

  const float* data_;
  const std::int32_t* slots_;
  std::size_t count_;
  std::size_t width_;
};

}  // namespace dstore
