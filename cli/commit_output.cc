#include "commit_output.h"

#include <algorithm>

#include "base/json.h"
#include "output.h"

namespace dstore::cli {
namespace {

std::int64_t count(const CommitReport& report, DeltaOp op) {
  const auto& changes = report.delta.table.changes;
  return std::count_if(changes.begin(), changes.end(), [&](const DeltaTable::Change& change) { return change.op == op; });
}

std::int64_t count_derived(const CommitReport& report) {
  const auto& changes = report.delta.table.changes;
  return std::count_if(changes.begin(), changes.end(), [](const DeltaTable::Change& change) { return is_derived(change.op); });
}

}  // namespace

void print_commit(const Session& session, const std::string& branch, const CommitReport& report) {
  if (session.json) {
    Json json;
    json.set("commit", report.commit.hex());
    json.set("branch", branch);
    json.set("unchanged", report.unchanged ? 1 : 0);
    json.set("full_bytes", static_cast<std::int64_t>(report.folder_bytes));
    json.set("stored_bytes", static_cast<std::int64_t>(report.stored_bytes));
    json.set("delta_bytes", static_cast<std::int64_t>(report.delta.segment_bytes));
    json.set("changed", static_cast<std::int64_t>(report.delta.changed));
    json.set("elements", static_cast<std::int64_t>(report.delta.base_elements));
    json.set("modified", count_derived(report));
    json.set("converted", count(report, DeltaOp::convert));
    json.set("added", count(report, DeltaOp::add));
    json.set("removed", count(report, DeltaOp::remove));
    json.set("renamed", count(report, DeltaOp::rename));
    if (report.adapter) {
      json.set("adapter", report.adapter->method);
      json.set("adapter_modules", static_cast<std::int64_t>(report.adapter->modules));
      json.set("adapter_bytes", static_cast<std::int64_t>(report.adapter->folder_bytes));
    }
    print_json(json.serialize());
    return;
  }
  if (report.unchanged) {
    session.say(branch + " is at " + report.commit.short_hex() + " already: nothing to commit");
    return;
  }
  const WrittenDelta& delta = report.delta;
  const double share = delta.base_elements == 0 ? 0 : static_cast<double>(delta.changed) / static_cast<double>(delta.base_elements);
  session.say("[" + branch + " " + report.commit.short_hex() + "] " + human_size(report.folder_bytes) + " → " + human_size(report.stored_bytes) + ": " +
              grouped(delta.changed) + " of " + grouped(delta.base_elements) + " weights changed (" + percent(share) + ")");
  std::string line = grouped(static_cast<std::uint64_t>(count_derived(report))) + " tensors modified";
  if (const auto n = count(report, DeltaOp::convert)) line += " (" + std::to_string(n) + " of another dtype or with other rows)";
  if (const auto n = count(report, DeltaOp::add)) line += ", " + std::to_string(n) + " added (" + human_size(delta.added_bytes) + ")";
  if (const auto n = count(report, DeltaOp::remove)) line += ", " + std::to_string(n) + " removed";
  if (report.alignment.matched_elsewhere > 0 && !report.alignment.prefix.empty()) {
    line += ", names aligned: \"" + report.alignment.prefix + "\" " + (report.alignment.prefix_in_base ? "removed" : "added");
  } else if (const auto renamed = count(report, DeltaOp::rename)) {
    line += ", " + std::to_string(renamed) + " renamed";
  }
  session.say(line);
  if (report.adapter) {
    const AdapterFacts& adapter = *report.adapter;
    session.say(adapter.method + " adapter: " + grouped(adapter.modules) + (adapter.modules == 1 ? " module, " : " modules, ") + grouped(adapter.replaced) +
                " tensors whole; its folder (" + human_size(adapter.folder_bytes) + ") comes back with `dstore checkout " + branch + " --format peft`");
  }
  if (report.castable > 0) {
    session.note("note: " + std::to_string(report.castable) + " tensors are saved in a wider dtype than the base's; --dtype base gives smaller differences");
  }
}

}  // namespace dstore::cli
