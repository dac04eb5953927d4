#include <algorithm>
#include <mutex>

#include "base/parallel.h"
#include "delta/element.h"
#include "task_stats.h"

namespace dstore::cli {
namespace {

/// A range of a base tensor that one piece of each task covers.
struct Window {
  std::size_t tensor;
  std::uint64_t piece;
};

/// The tasks on one base: index of each base tensor's changed version, by base name.
struct Support {
  std::size_t task;
  const StoredWeights* weights;
  std::map<std::string, std::size_t> modified;
};

Support support_of(std::size_t task, const TaskStats& stats) {
  Support out{task, stats.weights.get(), {}};
  for (const DeltaTable::Change& change : stats.delta.changes) {
    if (change.op == DeltaOp::modify) out.modified.emplace(change.from(), *stats.weights->find(change.name));
  }
  return out;
}

std::vector<std::uint64_t> positions(const Support& support, const TensorInfo& info, std::uint64_t first, ByteSpan base) {
  std::vector<std::uint64_t> out;
  const auto index = support.modified.find(info.name);
  if (index == support.modified.end()) return out;
  support.weights->for_each_piece(index->second, [&](const SegmentReader& reader, std::size_t piece) {
    if (reader.pieces()[piece].first == first) out = reader.changes(piece, first, base, info.name).positions;
  });
  return out;
}

std::uint64_t shared_positions(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::uint64_t shared = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    shared += a[i] == b[j];
    const bool step_a = a[i] <= b[j], step_b = b[j] <= a[i];
    i += step_a;
    j += step_b;
  }
  return shared;
}

void add_group(const Repository& repository, const ObjectId& base_weights, const std::vector<Support>& group, std::vector<Overlap>& out) {
  const auto base = StoredWeights::load(repository.store(), base_weights);
  std::vector<Window> windows;
  for (std::size_t i = 0; i < base->tensors().size(); ++i) {
    const TensorInfo& info = base->tensors()[i];
    const auto changers = std::count_if(group.begin(), group.end(), [&](const Support& s) { return s.modified.count(info.name) > 0; });
    if (changers == 0) continue;
    for (std::uint64_t piece = 0; piece * kPieceBytes < info.bytes; ++piece) windows.push_back({i, piece});
  }
  const std::size_t n = group.size();
  std::vector<std::uint64_t> counts(n), shared(n * n);
  std::mutex mutex;
  parallel_for(windows.size(), 0, [&](std::size_t w) {
    const TensorInfo& info = base->tensors()[windows[w].tensor];
    const std::uint64_t offset = windows[w].piece * kPieceBytes;
    Bytes bytes(std::min(kPieceBytes, info.bytes - offset));
    base->read(windows[w].tensor, offset, bytes);
    std::vector<std::vector<std::uint64_t>> found;
    for (const Support& support : group) found.push_back(positions(support, info, offset / unit_type(info.dtype).bytes, bytes));
    const std::scoped_lock lock(mutex);
    for (std::size_t i = 0; i < n; ++i) {
      counts[i] += found[i].size();
      for (std::size_t j = i + 1; j < n; ++j) shared[i * n + j] += shared_positions(found[i], found[j]);
    }
  });
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      const std::uint64_t both = shared[i * n + j];
      out.push_back({group[i].task, group[j].task, both, counts[i] + counts[j] - both});
    }
  }
}

}  // namespace

std::vector<Overlap> support_overlaps(const Repository& repository, const std::vector<TaskStats>& tasks) {
  std::map<ObjectId, std::vector<Support>> groups;
  for (std::size_t i = 0; i < tasks.size(); ++i) groups[tasks[i].delta.base_weights].push_back(support_of(i, tasks[i]));
  std::vector<Overlap> out;
  for (const auto& [base, group] : groups) {
    if (group.size() > 1) add_group(repository, base, group, out);
  }
  std::sort(out.begin(), out.end(), [](const Overlap& x, const Overlap& y) { return std::pair(x.a, x.b) < std::pair(y.a, y.b); });
  return out;
}

}  // namespace dstore::cli
