#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "delta_facts.h"
#include "evaluation_view.h"
#include "number_text.h"
#include "output.h"
#include "repo/model_files.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string table_text(const std::string& heading, const Rows& rows) {
  if (rows.empty()) return "";
  Table table({"", ""});
  for (const auto& [name, value] : rows) table.add({name, value});
  return "\n" + heading + "\n" + table.text("  ");
}

Rows id_rows(const Commit& commit, const CheckpointTable& checkpoint) {
  Rows rows{{"checkpoint", commit.checkpoint.hex()}, {"weights", checkpoint.weights.hex()}};
  if (commit.delta) rows.push_back({"delta", commit.delta->hex()});
  if (commit.base) rows.push_back({"base", commit.base->hex()});
  if (commit.adapter) rows.push_back({"adapter", commit.adapter->hex()});
  for (const ObjectId& parent : commit.parents) rows.push_back({"parent", parent.hex()});
  for (const ObjectId& source : commit.derived_from) rows.push_back({"derived from", source.hex()});
  return rows;
}

Rows training_rows(const Commit& commit) {
  Rows rows;
  for (const auto& [key, value] : commit.training) rows.push_back({printable(key), printable(value)});
  return rows;
}

Rows metric_rows(const Commit& commit) {
  Rows rows;
  for (const Metric& metric : commit.metrics) {
    std::string value = printable(metric.value);
    if (metric.n > 0) value += "  (n " + grouped(static_cast<std::uint64_t>(metric.n)) + ")";
    if (!metric.data_sha256.empty()) value += "  data " + printable(metric.data_sha256.substr(0, 10));
    rows.push_back({printable(metric.split + " " + metric.name), value});
  }
  return rows;
}

Rows evaluation_rows(const Session& session, const CommitFacts& facts) {
  Rows rows;
  for (const CheckedEvaluation& each : facts.evaluations) rows.push_back({each.id.short_hex(), evaluation_line(session, each)});
  return rows;
}

Rows change_rows(const Commit& commit, const DeltaFacts& facts) {
  Rows rows;
  std::string tensors = grouped(facts.modified) + " modified, " + grouped(facts.added) + " added, " + grouped(facts.removed) + " removed, " +
                        grouped(facts.renamed) + " renamed";
  if (!facts.prefix.empty()) tensors += " (prefix \"" + printable(facts.prefix) + "\")";
  rows.push_back({"tensors", tensors});
  for (const auto& [what, count] : facts.reshaped) rows.push_back({what, grouped(count) + (count == 1 ? " tensor" : " tensors")});
  for (const char* counted : {"selected", "nonzero"}) {
    if (const auto number = parse_number(commit.fact(counted))) {
      rows.push_back({std::string("weights ") + counted, grouped(static_cast<std::uint64_t>(std::max(0.0, *number)))});
    }
  }
  const double share = facts.base_units == 0 ? 0 : static_cast<double>(facts.changed) / static_cast<double>(facts.base_units);
  rows.push_back({"weights changed", grouped(facts.changed) + " of " + grouped(facts.base_units) + " (" + share_text(share) + ")"});
  return rows;
}

Rows size_rows(const CommitSizes& sizes, bool is_task) {
  Rows rows;
  if (is_task) rows.push_back({"differences", human_size(sizes.delta)});
  rows.push_back({is_task ? "new tensors" : "tensors", human_size(sizes.added)});
  rows.push_back({"side files, headers", human_size(sizes.files)});
  rows.push_back({"records", human_size(sizes.records)});
  const std::string ratio = ratio_text(sizes.checkpoint, sizes.stored());
  rows.push_back({"all", human_size(sizes.checkpoint) + " → " + human_size(sizes.stored()) + (ratio.empty() ? "" : ", " + ratio)});
  return rows;
}

Rows file_rows(const CheckpointTable& checkpoint) {
  Rows rows;
  for (const CheckpointTable::ShardRow& shard : checkpoint.shards) {
    rows.push_back({printable(shard.path), human_size(shard.bytes) + "  sha256 " + shard.sha256.hex()});
  }
  for (const CheckpointTable::FileRow& file : checkpoint.files) rows.push_back({printable(file.path), "file " + file.file.short_hex()});
  return rows;
}

/// --json: the object of commit_json() with {checkpoint, weights, delta, adapter, tensors{modified, added, removed, renamed,
/// prefix}, weights_changed, weights_total, shards[{path, bytes, sha256}], files[{path, id}]}; what a base has not is null.
void print_show_json(CommitSizer& sizer, const RefNames& refs, const CommitFacts& shown, const CheckpointTable& checkpoint,
                     const std::optional<DeltaFacts>& facts) {
  using nlohmann::ordered_json;
  ordered_json out = commit_json(refs, shown);
  out["checkpoint"] = shown.commit.checkpoint.hex();
  out["weights"] = checkpoint.weights.hex();
  out["delta"] = shown.commit.delta ? ordered_json(shown.commit.delta->hex()) : ordered_json();
  out["adapter"] = shown.commit.adapter ? ordered_json(shown.commit.adapter->hex()) : ordered_json();
  out["tensors"] = facts ? ordered_json{{"modified", facts->modified}, {"added", facts->added}, {"removed", facts->removed},
                                        {"renamed", facts->renamed}, {"prefix", facts->prefix}, {"reshaped", facts->reshaped}}
                         : ordered_json();
  out["weights_changed"] = facts ? ordered_json(facts->changed) : ordered_json();
  out["weights_total"] = sizer.base_units(shown.id, shown.commit);
  out["shards"] = ordered_json::array();
  for (const auto& shard : checkpoint.shards) out["shards"].push_back({{"path", shard.path}, {"bytes", shard.bytes}, {"sha256", shard.sha256.hex()}});
  out["files"] = ordered_json::array();
  for (const auto& file : checkpoint.files) out["files"].push_back({{"path", file.path}, {"id", file.file.hex()}});
  print_pretty(out);
}

int run(const Arguments& arguments, Session& session) {
  const Repository repository = session.open();
  CommitSizer sizer(repository);
  CommitFacts shown = read_facts(repository, sizer, resolve_commit(repository, arguments.get("rev")));
  read_evaluations(repository, shown);
  const Commit& commit = shown.commit;
  const RefNames refs = view_refs(session, repository).names;
  if (const auto record = forgotten_record(repository, shown.id)) {
    if (session.json) {
      print_pretty(commit_json(refs, shown));
    } else {
      session.say(commit_block(session, refs, shown) + "\n" + describe_forgotten(repository, *record) + ": its content is not kept any more");
    }
    return 0;
  }
  const CheckpointTable checkpoint = read_checkpoint(repository, commit);
  std::optional<DeltaFacts> facts;
  if (commit.is_task()) facts = delta_facts(repository, sizer, shown.id, commit);
  if (session.json) {
    print_show_json(sizer, refs, shown, checkpoint, facts);
    return 0;
  }
  std::string text = commit_block(session, refs, shown);
  text += table_text("Ids", id_rows(commit, checkpoint));
  text += table_text("Training", training_rows(commit));
  text += table_text("Metrics", metric_rows(commit));
  text += table_text("Evaluations", evaluation_rows(session, shown));
  if (facts) text += table_text("Changes", change_rows(commit, *facts));
  text += table_text("Stored", size_rows(shown.sizes, commit.is_task()));
  text += table_text("Files", file_rows(checkpoint));
  text.pop_back();
  session.say(text);
  return 0;
}

}  // namespace

Command show_command() {
  return {"show", "Look", "Everything about one commit", "dstore show sst2~1",
          {{"rev", "A branch, a tag, task~1, an id prefix"}}, {}, run};
}

}  // namespace dstore::cli
