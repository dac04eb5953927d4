#include "delta_facts.h"

#include "object/chunked.h"
#include "repo/model_files.h"
#include "tensor/dtype.h"

namespace dstore::cli {

namespace {

/// What a change does to a tensor besides its values; empty for most.
std::string reshape_text(const ObjectStore& store, const WeightsTable& base, const DeltaTable::Change& change) {
  const auto tensor = [&](const ObjectId& id) { return TensorObject::parse(store.read(ObjectKind::tensor, id), "tensor " + id.short_hex()); };
  if (change.low_rank) {
    const TensorObject a = tensor(change.low_rank->a);
    return a.shape.empty() ? "" : "rank " + std::to_string(a.shape.front());
  }
  const WeightsTable::Row* row = change.convert ? base.find(change.from()) : nullptr;
  if (row == nullptr) return "";
  const TensorObject before = tensor(row->tensor);
  std::string text;
  if (before.dtype != change.convert->dtype) {
    text = std::string(dtype_info(before.dtype).name) + " → " + std::string(dtype_info(change.convert->dtype).name);
  }
  if (!before.shape.empty() && before.shape.front() != change.convert->rows) {
    text += (text.empty() ? "rows " : ", rows ") + std::to_string(before.shape.front()) + " → " + std::to_string(change.convert->rows);
  }
  return text;
}

}  // namespace

DeltaFacts delta_facts(const Repository& repository, CommitSizer& sizer, const ObjectId& id, const Commit& task) {
  DeltaFacts out;
  std::optional<std::string> prefix;
  const DeltaTable delta = read_delta(repository, task);
  const WeightsTable base = WeightsTable::parse(repository.store().read(ObjectKind::weights, delta.base_weights),
                                                "weights " + delta.base_weights.short_hex());
  for (const DeltaTable::Change& change : delta.changes) {
    out.modified += is_derived(change.op);
    if (const std::string text = reshape_text(repository.store(), base, change); !text.empty()) ++out.reshaped[text];
    out.added += change.op == DeltaOp::add;
    out.removed += change.op == DeltaOp::remove;
    if (change.base_name.empty()) continue;
    ++out.renamed;
    const std::string more = change.name.ends_with(change.base_name) ? change.name.substr(0, change.name.size() - change.base_name.size()) : "";
    if (!prefix) prefix = more;
    if (*prefix != more) prefix = "";
  }
  out.prefix = prefix.value_or("");
  out.changed = count_changed_units(repository, task);
  out.base_units = sizer.base_units(id, task);
  return out;
}

}  // namespace dstore::cli
