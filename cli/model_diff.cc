#include "model_diff.h"

#include <algorithm>
#include <mutex>

#include "base/parallel.h"
#include "base/tensor_range.h"
#include "delta/element.h"
#include "repo/align.h"

namespace dstore::cli {
namespace {

using State = TensorDiff::State;

/// A range of a pair that has to be compared byte by byte.
struct Job {
  std::size_t tensor;  ///< index into TensorsDiff::tensors
  std::size_t before, after;
  std::uint64_t offset, size;
};

bool known_equal(const StoredWeights* a, std::size_t i, const StoredWeights* b, std::size_t j) {
  return a != nullptr && b != nullptr && a->tensor_id(i) == b->tensor_id(j);
}

TensorDiff pair_up(const TensorSource& a, const TensorSource& b, const Pairing& pair) {
  TensorDiff out;
  out.name = pair.name;
  if (pair.task) out.after = &b.tensors()[*pair.task];
  if (!pair.base) {
    out.state = State::added;
    return out;
  }
  out.before = &a.tensors()[*pair.base];
  out.base_name = out.before->name;
  if (out.before->dtype != out.after->dtype) {
    out.state = State::dtype;
  } else if (out.before->shape != out.after->shape) {
    out.state = State::shape;
  } else if (out.base_name != out.name) {
    out.state = State::renamed;
  }
  return out;
}

DifferenceStats compare(const TensorSource& a, const TensorSource& b, const Job& job, DType dtype) {
  Bytes before_buffer, after_buffer;
  const ByteSpan before = tensor_range(a, job.before, job.offset, job.size, before_buffer);
  const ByteSpan after = tensor_range(b, job.after, job.offset, job.size, after_buffer);
  if (!std::equal(before.begin(), before.end(), after.begin())) return difference_stats(dtype, before, after);
  DifferenceStats same;
  same.units = unit_count(dtype, job.size);
  return same;
}

void append_removed(const TensorSource& a, const std::vector<Pairing>& pairs, TensorsDiff& out) {
  std::vector<bool> taken(a.tensors().size(), false);
  for (const Pairing& pair : pairs) {
    if (pair.base) taken[*pair.base] = true;
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (taken[i]) continue;
    TensorDiff removed;
    removed.state = State::removed;
    removed.name = removed.base_name = a.tensors()[i].name;
    removed.before = &a.tensors()[i];
    out.tensors.push_back(std::move(removed));
  }
  std::stable_sort(out.tensors.begin(), out.tensors.end(), [](const TensorDiff& x, const TensorDiff& y) { return x.name < y.name; });
}

}  // namespace

const char* state_name(State state) {
  constexpr const char* kNames[] = {"same", "renamed", "changed", "added", "removed", "dtype", "shape"};
  return kNames[static_cast<std::size_t>(state)];
}

std::size_t TensorsDiff::count(State state) const {
  return static_cast<std::size_t>(std::count_if(tensors.begin(), tensors.end(), [&](const TensorDiff& t) { return t.state == state; }));
}

TensorsDiff pair_tensors(const TensorSource& a, const TensorSource& b) {
  const Alignment alignment = align(a, b, {});
  TensorsDiff out;
  for (const Pairing& pair : alignment.pairs) out.tensors.push_back(pair_up(a, b, pair));
  out.prefix = alignment.prefix;
  out.prefix_in_base = alignment.prefix_in_base;
  append_removed(a, alignment.pairs, out);
  return out;
}

TensorsDiff diff_tensors(const TensorSource& a, const TensorSource& b, const Progress& progress) {
  const Alignment alignment = align(a, b, {});
  TensorsDiff out = diff_tensors(a, b, alignment.pairs, progress);
  out.prefix = alignment.prefix;
  out.prefix_in_base = alignment.prefix_in_base;
  return out;
}

TensorsDiff diff_tensors(const TensorSource& a, const TensorSource& b, const std::vector<Pairing>& pairs, const Progress& progress) {
  const auto* stored_a = dynamic_cast<const StoredWeights*>(&a);
  const auto* stored_b = dynamic_cast<const StoredWeights*>(&b);
  TensorsDiff out;
  std::vector<Job> jobs;
  std::uint64_t total = 0;
  for (const Pairing& pair : pairs) {
    out.tensors.push_back(pair_up(a, b, pair));
    TensorDiff& tensor = out.tensors.back();
    if (tensor.state != State::same && tensor.state != State::renamed) continue;
    const std::uint64_t bytes = tensor.after->bytes;
    if (known_equal(stored_a, *pair.base, stored_b, *pair.task)) {
      tensor.stats.units = unit_count(tensor.after->dtype, bytes);
      continue;
    }
    for (std::uint64_t at = 0; at < bytes; at += kPieceBytes) {
      jobs.push_back({out.tensors.size() - 1, *pair.base, *pair.task, at, std::min(kPieceBytes, bytes - at)});
    }
    total += bytes;
  }

  std::vector<DifferenceStats> results(jobs.size());
  std::uint64_t done = 0;
  std::mutex mutex;
  parallel_for(jobs.size(), 0, [&](std::size_t i) {
    results[i] = compare(a, b, jobs[i], out.tensors[jobs[i].tensor].after->dtype);
    if (!progress) return;
    const std::scoped_lock lock(mutex);
    progress(done += jobs[i].size, total);
  });
  for (std::size_t i = 0; i < jobs.size(); ++i) out.tensors[jobs[i].tensor].stats += results[i];  // in order: sums repeat
  for (TensorDiff& tensor : out.tensors) {
    if (tensor.stats.changed > 0) tensor.state = State::changed;
    out.total += tensor.stats;
  }
  append_removed(a, pairs, out);
  return out;
}

std::vector<FileDiff> diff_files(const Model& a, const Model& b) {
  std::vector<FileDiff> out;
  for (const std::string& path : a.side_files()) {
    const auto before = a.side_file(path);
    const auto after = b.side_file(path);
    if (!after) {
      out.push_back({path, "removed"});
    } else if (before != after) {
      out.push_back({path, "changed"});
    }
  }
  for (const std::string& path : b.side_files()) {
    if (!a.side_file(path)) out.push_back({path, "added"});
  }
  std::sort(out.begin(), out.end(), [](const FileDiff& x, const FileDiff& y) { return x.path < y.path; });
  return out;
}

}  // namespace dstore::cli
