#include "tensor_listing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <tuple>

#include "base/edit_distance.h"
#include "base/parallel.h"
#include "base/tensor_range.h"
#include "delta/element.h"
#include "delta/segment.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "number_text.h"
#include "tensor/dtype.h"

namespace dstore::cli {
namespace {

constexpr unsigned kThreads = 4;  ///< each holds a piece of both tensors

/// A differing unit as it is ranked; what people read is made of those that are kept.
struct Candidate {
  std::uint64_t index = 0;
  double size = 0;  ///< |difference|; infinite where one is not finite
  std::uint64_t ulps = 0;
  std::array<std::byte, 8> before{}, after{};

  /// Larger changes first.
  bool operator<(const Candidate& other) const { return std::tuple(other.size, other.ulps, index) < std::tuple(size, ulps, other.index); }
};

/// The `limit` first of all candidates that were put in.
class Largest {
 public:
  explicit Largest(std::uint64_t limit) : limit_(limit) {}
  void add(const Candidate& candidate) {
    if (kept_.size() == limit_) {
      if (limit_ == 0 || !(candidate < kept_.front())) return;
      std::pop_heap(kept_.begin(), kept_.end());
      kept_.pop_back();
    }
    kept_.push_back(candidate);
    std::push_heap(kept_.begin(), kept_.end());
  }
  void add(const Largest& other) {
    for (const Candidate& candidate : other.kept_) add(candidate);
  }
  std::vector<Candidate> take() {
    std::sort_heap(kept_.begin(), kept_.end());
    return std::move(kept_);
  }

 private:
  std::uint64_t limit_;
  std::vector<Candidate> kept_;  ///< a heap, the smallest change in front
};

void collect(DType dtype, std::uint64_t first, ByteSpan before, ByteSpan after, Largest& largest) {
  const std::size_t unit = unit_type(dtype).bytes;
  const bool numeric = is_numeric(dtype);
  std::array<double, 2> values{};
  for (std::size_t at = 0; at < before.size(); at += unit) {
    const ByteSpan x = before.subspan(at, unit), y = after.subspan(at, unit);
    if (std::memcmp(x.data(), y.data(), unit) == 0) continue;
    Candidate candidate{first + at / unit, 0, ulp_distance(dtype, x, y), {}, {}};
    if (numeric) {
      read_doubles(dtype, x, std::span(values).first(1));
      read_doubles(dtype, y, std::span(values).last(1));
      candidate.size = std::isfinite(values[0]) && std::isfinite(values[1]) ? std::fabs(values[1] - values[0]) : INFINITY;
    }
    std::copy(x.begin(), x.end(), candidate.before.begin());
    std::copy(y.begin(), y.end(), candidate.after.begin());
    largest.add(candidate);
  }
}

ElementDiff element_of(DType dtype, const Candidate& candidate) {
  const std::size_t unit = unit_type(dtype).bytes;
  const ByteSpan before = ByteSpan(candidate.before).first(unit), after = ByteSpan(candidate.after).first(unit);
  ElementDiff out{candidate.index, unit_text(dtype, before), unit_text(dtype, after), std::nullopt, candidate.ulps};
  const DTypeKind kind = dtype_info(dtype).kind;
  if (is_numeric(dtype) && candidate.ulps > 0) {
    double difference = 0;
    differences(dtype, before, after, {&difference, 1});
    out.difference = difference;
  } else if (kind == DTypeKind::unsigned_integer) {
    out.difference = (std::stoull(out.before) < std::stoull(out.after) ? 1.0 : -1.0) * static_cast<double>(candidate.ulps);
  } else if (kind == DTypeKind::signed_integer) {
    out.difference = (std::stoll(out.before) < std::stoll(out.after) ? 1.0 : -1.0) * static_cast<double>(candidate.ulps);
  }
  return out;
}

}  // namespace

std::string ElementDiff::difference_text() const {
  if (!difference) return "";
  return (*difference > 0 ? "+" : "") + number_text(*difference, 4);
}

bool is_listable(const TensorDiff& tensor) {
  using State = TensorDiff::State;
  if (tensor.before == nullptr || tensor.after == nullptr || tensor.state == State::dtype) return false;
  const auto& x = tensor.before->shape;
  const auto& y = tensor.after->shape;
  return x == y || (x.size() == y.size() && !x.empty() && std::equal(x.begin() + 1, x.end(), y.begin() + 1));
}

TensorListing list_changes(const TensorSource& a, const TensorSource& b, const TensorDiff& tensor, std::uint64_t limit, const Progress& progress) {
  const DType dtype = tensor.after->dtype;
  const std::uint64_t unit = unit_type(dtype).bytes, bytes = std::min(tensor.before->bytes, tensor.after->bytes);
  const std::size_t before_index = *a.find(tensor.base_name), after_index = *b.find(tensor.name);
  const std::uint64_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
  std::vector<DifferenceStats> stats(pieces);
  Largest largest(limit);
  std::uint64_t done = 0;
  std::mutex mutex;
  parallel_for(pieces, std::min(kThreads, available_threads()), [&](std::size_t i) {
    const std::uint64_t offset = i * kPieceBytes, size = std::min(kPieceBytes, bytes - offset);
    Bytes before_buffer, after_buffer;
    const ByteSpan before = tensor_range(a, before_index, offset, size, before_buffer);
    const ByteSpan after = tensor_range(b, after_index, offset, size, after_buffer);
    stats[i] = difference_stats(dtype, before, after);
    Largest here(limit);
    if (stats[i].changed > 0) collect(dtype, offset / unit, before, after, here);
    const std::scoped_lock lock(mutex);
    largest.add(here);
    if (progress) progress(done += size, bytes);
  });
  TensorListing out;
  for (const DifferenceStats& more : stats) out.stats += more;
  for (const Candidate& candidate : largest.take()) out.elements.push_back(element_of(dtype, candidate));
  if (tensor.before->shape != tensor.after->shape) out.rows = std::min(tensor.before->shape.front(), tensor.after->shape.front());
  return out;
}

const TensorDiff& find_tensor(const TensorsDiff& diff, const std::string& name) {
  std::vector<std::string> names;
  for (const TensorDiff& tensor : diff.tensors) {
    if (tensor.name == name) return tensor;
    names.push_back(tensor.name);
    if (!tensor.base_name.empty()) names.push_back(tensor.base_name);
  }
  for (const TensorDiff& tensor : diff.tensors) {
    if (tensor.base_name == name) return tensor;
  }
  const auto near = nearest(name, names);
  throw Error(ErrorCode::not_found, "neither model has a tensor " + printable(name) + (near ? "; did you mean " + printable(*near) + "?" : ""));
}

std::vector<std::uint64_t> position_of(const TensorInfo& info, std::uint64_t index) {
  if (info.shape.empty() || dtype_info(info.dtype).bytes() != unit_type(info.dtype).bytes) return {};
  std::vector<std::uint64_t> place(info.shape.size());
  for (std::size_t d = info.shape.size(); d-- > 0; index /= info.shape[d]) place[d] = index % info.shape[d];
  return place;
}

std::string position_text(const TensorInfo& info, std::uint64_t index) {
  const std::vector<std::uint64_t> place = position_of(info, index);
  std::string text;
  for (const std::uint64_t at : place) text += (text.empty() ? "" : ", ") + std::to_string(at);
  return std::to_string(index) + (place.size() < 2 ? "" : " [" + text + "]");
}

}  // namespace dstore::cli
