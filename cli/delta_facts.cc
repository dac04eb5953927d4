#include "delta_facts.h"

#include "repo/model_files.h"

namespace dstore::cli {

DeltaFacts delta_facts(const Repository& repository, CommitSizer& sizer, const CheckedCommit& task) {
  DeltaFacts out;
  std::optional<std::string> prefix;
  for (const DeltaTable::Change& change : read_delta(repository, task.commit).changes) {
    out.modified += change.op == DeltaOp::modify;
    out.added += change.op == DeltaOp::add;
    out.removed += change.op == DeltaOp::remove;
    if (change.base_name.empty()) continue;
    ++out.renamed;
    const std::string more = change.name.ends_with(change.base_name) ? change.name.substr(0, change.name.size() - change.base_name.size()) : "";
    if (!prefix) prefix = more;
    if (*prefix != more) prefix = "";
  }
  out.prefix = prefix.value_or("");
  out.changed = count_changed_units(repository, task.commit);
  out.base_units = sizer.base_units(task.id, task.commit);
  return out;
}

}  // namespace dstore::cli
