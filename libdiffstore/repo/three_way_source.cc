#include "repo/three_way_source.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>

#include "base/parallel.h"
#include "delta/bits.h"
#include "delta/stats.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::size_t kWindow = 1 << 14;  ///< units looked at at once

/// The same units of the three models.
using Window = PerSide<ByteSpan>;

/// Which units of a window both sides changed differently; `out`, where given, gets the bits of all others.
template <class Unit>
void find_conflicts(const Window& window, MutableByteSpan out, ConflictCounts& counts, std::vector<std::uint32_t>& conflicts) {
  const std::size_t units = window[Side::base].size() / sizeof(Unit);
  for (std::size_t i = 0; i < units; ++i) {
    const std::size_t at = i * sizeof(Unit);
    const Unit o = load_le<Unit>(window[Side::base].data() + at), a = load_le<Unit>(window[Side::ours].data() + at), b = load_le<Unit>(window[Side::theirs].data() + at);
    if (!out.empty()) store_le(out.data() + at, a == o ? b : a);
    if (a == o && b == o) continue;
    if (a == o) ++counts.theirs;
    else if (b == o) ++counts.ours;
    else if (a == b) ++counts.same;
    else conflicts.push_back(static_cast<std::uint32_t>(i));
  }
  counts.conflict += conflicts.size();
  counts.elements += units;
}

using FindConflicts = void (*)(const Window&, MutableByteSpan, ConflictCounts&, std::vector<std::uint32_t>&);
FindConflicts conflict_finder(std::size_t unit) {
  switch (unit) {
    case 1: return find_conflicts<std::uint8_t>;
    case 2: return find_conflicts<std::uint16_t>;
    case 4: return find_conflicts<std::uint32_t>;
    default: return find_conflicts<std::uint64_t>;
  }
}

/// A float's bits as a number that grows with it by 1 for each step to the next float.
std::int64_t step_number(std::uint64_t bits, unsigned width) {
  const std::uint64_t sign = std::uint64_t{1} << (width - 1), magnitude = bits & (sign - 1);
  return (bits & sign) != 0 ? -static_cast<std::int64_t>(magnitude) : static_cast<std::int64_t>(magnitude);
}

std::uint64_t load_bits(ByteSpan unit) {
  std::uint64_t bits = 0;
  for (std::size_t i = unit.size(); i-- > 0;) bits = bits << 8 | std::to_integer<std::uint64_t>(unit[i]);
  return bits;
}

/// The numbers of a window.
class Numbers {
 public:
  void read(DType dtype, const Window& window) {
    for (const Side side : kSides) {
      values_[side].resize(unit_count(dtype, window[side].size()));
      read_doubles(dtype, window[side], values_[side]);
    }
  }
  double at(Side side, std::size_t i) const { return values_[side][i]; }
  const std::vector<double>& of(Side side) const { return values_[side]; }

 private:
  PerSide<std::vector<double>> values_;
};

/// What a merge method sees: ours and theirs where they are in conflict; elsewhere both are as the base.
class ConflictsAlone {
 public:
  ConflictsAlone(const Numbers& numbers, const std::vector<std::uint32_t>& conflicts) : base_(numbers.of(Side::base)), ours_(base_), theirs_(base_) {
    for (const std::uint32_t i : conflicts) {
      ours_[i] = numbers.at(Side::ours, i);
      theirs_[i] = numbers.at(Side::theirs, i);
    }
  }
  MergeWindow window(std::uint64_t first) const { return {first, base_, models_}; }

 private:
  const std::vector<double>& base_;
  std::vector<double> ours_, theirs_;
  std::array<std::span<const double>, 2> models_{ours_, theirs_};
};

/// The method for the elements of one tensor. Conflicts are scattered, so methods that look at rows, at other tensors or at statistics have no say.
std::unique_ptr<TensorMerge> method_for(const Resolution& resolution, const PlannedTensor& tensor) {
  const MergedTensor described{tensor.info.name, tensor.info.dtype, unit_count(tensor.info.dtype, tensor.common), tensor.info.shape, {}};
  const bool of_model = resolution.method->make_model != nullptr && resolution.method->make_model(*resolution.settings, std::span(&described, 1)) != nullptr;
  auto merge = of_model || !resolution.method->statistics.empty() ? nullptr : resolution.method->make(*resolution.settings, described);
  if (merge && merge->row() == 1) return merge;
  throw Error(ErrorCode::invalid_argument, "method " + std::string(resolution.method->name) + " looks at rows, at other tensors or at statistics; " +
                                               "to decide what is in conflict take one that does not, such as linear or ties");
}

void add_sums(const UnitType& unit, const Window& window, const Numbers& numbers, const std::vector<std::uint32_t>& conflicts, ConflictCounts& out) {
  const std::size_t units = window[Side::base].size() / unit.bytes;
  for (std::size_t i = 0; i < units; ++i) {
    const double a = numbers.at(Side::ours, i) - numbers.at(Side::base, i), b = numbers.at(Side::theirs, i) - numbers.at(Side::base, i);
    if (!std::isfinite(a) || !std::isfinite(b)) continue;
    out.ours_energy += a * a;
    out.theirs_energy += b * b;
    out.product += a * b;
  }
  for (const std::uint32_t i : conflicts) {
    const double a = numbers.at(Side::ours, i) - numbers.at(Side::base, i), b = numbers.at(Side::theirs, i) - numbers.at(Side::base, i);
    if (!std::isfinite(a) || !std::isfinite(b)) {
      ++out.distances.back();
      continue;
    }
    out.opposed += (a < 0) != (b < 0) ? 1 : 0;
    out.conflict_energy += a * a + b * b;
    const auto bits = [&](Side side) { return load_bits(window[side].subspan(i * unit.bytes, unit.bytes)); };
    const std::int64_t ours = step_number(bits(Side::ours), unit.bytes * 8), theirs = step_number(bits(Side::theirs), unit.bytes * 8);
    const std::uint64_t distance = static_cast<std::uint64_t>(std::max(ours, theirs)) - static_cast<std::uint64_t>(std::min(ours, theirs));
    // +0 and -0 are no step apart: in the first class.
    ++out.distances[std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(distance | 1)) - 1, ConflictCounts::kDistances - 2)];
  }
}

}  // namespace

double ConflictCounts::energy_in_conflict() const {
  const double all = ours_energy + theirs_energy;
  return all == 0 ? 0 : conflict_energy / all;
}

double ConflictCounts::cosine() const {
  const double norms = std::sqrt(ours_energy) * std::sqrt(theirs_energy);
  return norms == 0 ? 0 : product / norms;
}

ConflictCounts& ConflictCounts::operator+=(const ConflictCounts& other) {
  elements += other.elements;
  ours += other.ours;
  theirs += other.theirs;
  same += other.same;
  conflict += other.conflict;
  opposed += other.opposed;
  ours_energy += other.ours_energy;
  theirs_energy += other.theirs_energy;
  conflict_energy += other.conflict_energy;
  product += other.product;
  for (std::size_t i = 0; i < kDistances; ++i) distances[i] += other.distances[i];
  return *this;
}

/// What was read of the models for one range; a side that is known to have the base's bytes shares them.
struct ThreeWaySource::Views {
  PerSide<Bytes> bytes;
  Window window;

  Window part(std::size_t at, std::size_t size) const { return {{window[Side::base].subspan(at, size), window[Side::ours].subspan(at, size), window[Side::theirs].subspan(at, size)}}; }
};

ThreeWaySource::ThreeWaySource(PerSide<std::unique_ptr<TensorSource>> models, const std::vector<Pairing>& ours, const std::vector<Pairing>& theirs,
                               const Resolution& resolution, bool common_rows)
    : models_(std::move(models)), resolution_(resolution) {
  const ThreeModels views{{models_[Side::base].get(), models_[Side::ours].get(), models_[Side::theirs].get()}};
  plan_ = plan_three_way(views, pair_three(views, ours, theirs), resolution, common_rows);
  for (const PlannedTensor& tensor : plan_.tensors) {
    infos_.push_back(tensor.info);
    methods_.emplace_back();
    if (resolution.method == nullptr || tensor.whole || tensor.ours_is_base || tensor.theirs_is_base || !is_numeric(tensor.info.dtype)) continue;
    methods_.back() = method_for(resolution, tensor);
  }
}

std::vector<Pairing> ThreeWaySource::pairs_with(Side side) const {
  std::vector<Pairing> out;
  for (std::size_t i = 0; i < plan_.tensors.size(); ++i) out.push_back({infos_[i].name, plan_.tensors[i].at[side], i});
  return out;
}

void ThreeWaySource::load(const PlannedTensor& tensor, std::uint64_t offset, std::uint64_t size, Views& out) const {
  for (const Side side : kSides) {
    if ((side == Side::ours && tensor.ours_is_base) || (side == Side::theirs && tensor.theirs_is_base)) {
      out.window[side] = out.window[Side::base];
      continue;
    }
    out.bytes[side].resize(size);
    models_[side]->read(*tensor.at[side], offset, out.bytes[side]);
    out.window[side] = out.bytes[side];
  }
}

ConflictCounts ThreeWaySource::count(const PlannedTensor& tensor, std::uint64_t offset, std::uint64_t size) const {
  const DType dtype = tensor.info.dtype;
  const UnitType& unit = unit_type(dtype);
  const FindConflicts look = conflict_finder(unit.bytes);
  Views views;
  load(tensor, offset, size, views);
  ConflictCounts out;
  Numbers numbers;
  std::vector<std::uint32_t> conflicts;
  for (std::uint64_t at = 0; at < size; at += kWindow * unit.bytes) {
    const Window window = views.part(at, std::min<std::uint64_t>(size - at, kWindow * unit.bytes));
    const std::uint64_t before = out.changed();
    conflicts.clear();
    look(window, {}, out, conflicts);
    if (out.changed() == before) continue;
    if (is_numeric(dtype)) {
      numbers.read(dtype, window);
      add_sums(unit, window, numbers, conflicts, out);
    } else {
      out.distances.back() += conflicts.size();
    }
  }
  return out;
}

void ThreeWaySource::run_passes(const Progress& progress) {
  std::mutex mutex;
  std::uint64_t done = 0, total = 0;
  for (const TensorInfo& info : infos_) total += info.bytes;
  parallel_for(plan_.tensors.size(), 0, [&](std::size_t t) {
    const PlannedTensor& tensor = plan_.tensors[t];
    const std::size_t unit = unit_type(tensor.info.dtype).bytes;
    const FindConflicts look = conflict_finder(unit);
    Numbers numbers;
    std::vector<std::uint32_t> conflicts;
    while (methods_[t] && methods_[t]->wants_pass()) {
      Views views;
      for (std::uint64_t piece = 0; piece < tensor.common; piece += kPieceBytes) {
        const std::uint64_t size = std::min(kPieceBytes, tensor.common - piece);
        load(tensor, piece, size, views);
        for (std::uint64_t at = 0; at < size; at += kWindow * unit) {
          const Window window = views.part(at, std::min<std::uint64_t>(size - at, kWindow * unit));
          ConflictCounts counts;
          conflicts.clear();
          look(window, {}, counts, conflicts);
          numbers.read(tensor.info.dtype, window);
          methods_[t]->look(ConflictsAlone(numbers, conflicts).window((piece + at) / unit));
        }
      }
      methods_[t]->end_pass();
    }
    const std::scoped_lock lock(mutex);
    if (progress) progress(done += tensor.info.bytes, total);
  });
}

ConflictReport ThreeWaySource::analyse(const Progress& progress) {
  run_passes({});
  struct Job {
    std::size_t tensor;
    std::uint64_t offset, size;
  };
  std::vector<Job> jobs;
  std::uint64_t done = 0, total = 0;
  for (std::size_t t = 0; t < plan_.tensors.size(); ++t) {
    const PlannedTensor& tensor = plan_.tensors[t];
    for (std::uint64_t at = 0; !tensor.whole && at < tensor.common; at += kPieceBytes) jobs.push_back({t, at, std::min(kPieceBytes, tensor.common - at)});
    total += tensor.whole ? 0 : tensor.common;
  }
  std::vector<ConflictCounts> counts(jobs.size());
  std::mutex mutex;
  parallel_for(jobs.size(), 0, [&](std::size_t j) {
    counts[j] = count(plan_.tensors[jobs[j].tensor], jobs[j].offset, jobs[j].size);
    const std::scoped_lock lock(mutex);
    if (progress) progress(done += jobs[j].size, total);
  });
  ConflictReport out;
  std::vector<ConflictCounts> by_tensor(plan_.tensors.size());
  for (std::size_t j = 0; j < jobs.size(); ++j) by_tensor[jobs[j].tensor] += counts[j];  // in order: sums repeat
  for (std::size_t t = 0; t < by_tensor.size(); ++t) {
    if (plan_.tensors[t].whole) by_tensor[t].elements = unit_count(infos_[t].dtype, infos_[t].bytes);
    out.all += by_tensor[t];
    if (by_tensor[t].changed() > 0) out.tensors.push_back({infos_[t].name, by_tensor[t]});
    const bool resolved = resolution_.side() || (resolution_.resolves() && is_numeric(infos_[t].dtype));
    if (!resolved) out.unresolved += by_tensor[t].conflict;
  }
  out.whole = plan_.conflicts;
  if (!resolution_.side()) out.unresolved += out.whole.size();
  return out;
}

void ThreeWaySource::merge(std::size_t index, std::uint64_t offset, MutableByteSpan out) const {
  const PlannedTensor& tensor = plan_.tensors[index];
  const DType dtype = tensor.info.dtype;
  const std::size_t unit = unit_type(dtype).bytes;
  const FindConflicts look = conflict_finder(unit);
  Views views;
  load(tensor, offset, out.size(), views);
  Numbers numbers;
  std::vector<std::uint32_t> conflicts;
  for (std::size_t at = 0; at < out.size(); at += kWindow * unit) {
    const MutableByteSpan target = out.subspan(at, std::min(out.size() - at, kWindow * unit));
    const Window window = views.part(at, target.size());
    ConflictCounts counts;
    conflicts.clear();
    look(window, target, counts, conflicts);
    if (conflicts.empty()) continue;
    if (const auto side = resolution_.side()) {
      for (const std::uint32_t i : conflicts) std::copy_n(window[*side].begin() + static_cast<std::ptrdiff_t>(i * unit), unit, target.begin() + static_cast<std::ptrdiff_t>(i * unit));
      continue;
    }
    numbers.read(dtype, window);
    std::vector<double> result(numbers.of(Side::base).size());
    if (methods_[index]) {
      methods_[index]->apply(ConflictsAlone(numbers, conflicts).window((offset + at) / unit), result);
    } else {
      for (const std::uint32_t i : conflicts) result[i] = (numbers.at(Side::ours, i) + numbers.at(Side::theirs, i)) - numbers.at(Side::base, i);
    }
    for (double& value : result) value = std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
    Bytes bits(target.size());
    write_doubles(dtype, result, bits);
    for (const std::uint32_t i : conflicts) std::copy_n(bits.begin() + static_cast<std::ptrdiff_t>(i * unit), unit, target.begin() + static_cast<std::ptrdiff_t>(i * unit));
  }
}

void ThreeWaySource::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  const PlannedTensor& tensor = plan_.tensors[index];
  std::optional<Side> whole = tensor.whole;
  if (!whole && tensor.ours_is_base && tensor.info.bytes == tensor.common) whole = Side::theirs;
  if (!whole && tensor.theirs_is_base && tensor.info.bytes == tensor.common) whole = Side::ours;
  if (whole) return models_[*whole]->read(*tensor.at[*whole], offset, out);
  const std::uint64_t unit = unit_type(tensor.info.dtype).bytes;
  if (offset % unit != 0 || out.size() % unit != 0) {
    const std::uint64_t begin = offset / unit * unit, end = (offset + out.size() + unit - 1) / unit * unit;
    Bytes all(end - begin);
    read(index, begin, all);
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(offset - begin), out.size(), out.begin());
    return;
  }
  const std::uint64_t shared = offset >= tensor.common ? 0 : std::min<std::uint64_t>(out.size(), tensor.common - offset);
  for (std::uint64_t at = 0; at < shared;) {
    const std::uint64_t next = std::min(shared, ((offset + at) / kPieceBytes + 1) * kPieceBytes - offset);
    merge(index, offset + at, out.subspan(at, next - at));
    at = next;
  }
  if (shared < out.size()) models_[tensor.rest]->read(*tensor.at[tensor.rest], offset + shared, out.subspan(shared));
}

}  // namespace dstore
