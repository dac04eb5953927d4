#include "task_stats.h"

#include "delta/element.h"
#include "model_diff.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

/// Encoded pieces and factors of a modified tensor, stored chunks of a new one.
std::uint64_t bytes_of(const ObjectStore& store, const StoredWeights& weights, std::size_t index) {
  std::uint64_t bytes = 0;
  weights.for_each_piece(index, [&](const SegmentReader& reader, std::size_t piece) { bytes += reader.pieces()[piece].bytes; });
  const auto add_chunks = [&](const StoredWeights& from, std::size_t tensor) {
    for (const ObjectId& id : from.chunks(tensor)) {
      const auto entry = store.find(id);
      bytes += entry ? entry->stored_size : 0;
    }
  };
  add_chunks(weights, index);
  if (const StoredWeights* factors = weights.factors(index)) {
    add_chunks(*factors, weights.derived(index)->factors.b);
    add_chunks(*factors, weights.derived(index)->factors.a);
  }
  return bytes;
}

}  // namespace

RoleStats& RoleStats::operator+=(const RoleStats& other) {
  tensors += other.tensors;
  modified += other.modified;
  new_elements += other.new_elements;
  difference += other.difference;
  bytes += other.bytes;
  return *this;
}

TaskStats task_stats(const Repository& repository, CommitSizer& sizer, const std::string& revision, const Progress& progress) {
  TaskStats out;
  out.revision = revision;
  out.commit = repository.check_commit(resolve_commit(repository, revision));
  require_task(out.commit, revision);
  out.sizes = sizer.sizes(out.commit.id, out.commit.commit);
  out.delta = read_delta(repository, out.commit.commit);
  out.weights = StoredWeights::load(repository.store(), out.delta);
  const auto base = StoredWeights::load(repository.store(), out.delta.base_weights);
  const TensorsDiff diff = diff_tensors(*base, *out.weights, pairs_of_delta(*base, *out.weights, out.delta), progress);
  for (const TensorDiff& tensor : diff.tensors) {
    if (tensor.state == TensorDiff::State::removed) continue;
    const std::size_t index = *out.weights->find(tensor.name);
    const bool is_new = tensor.state == TensorDiff::State::added;
    RoleStats one;
    one.tensors = 1;
    one.modified = out.weights->is_modified(index);
    one.difference = tensor.stats;
    if (is_new) one.new_elements = unit_count(tensor.after->dtype, tensor.after->bytes);
    if (is_new || out.weights->is_modified(index)) one.bytes = bytes_of(repository.store(), *out.weights, index);
    out.roles[tensor_role(tensor.name)] += one;
    out.total += one;
  }
  return out;
}

}  // namespace dstore::cli
