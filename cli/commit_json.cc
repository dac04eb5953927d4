#include <nlohmann/json.hpp>

#include "commit_view.h"
#include "evaluation_view.h"
#include "number_text.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

ordered_json ids(const std::vector<ObjectId>& list) {
  ordered_json out = ordered_json::array();
  for (const ObjectId& id : list) out.push_back(id.hex());
  return out;
}

ordered_json metrics_json(const Commit& commit) {
  ordered_json out = ordered_json::array();
  for (const Metric& metric : commit.metrics) {
    const auto value = parse_number(metric.value);
    out.push_back({{"split", metric.split},
                   {"name", metric.name},
                   {"value", value ? ordered_json(*value) : ordered_json()},
                   {"n", metric.n},
                   {"data_sha256", metric.data_sha256}});
  }
  return out;
}

ordered_json sizes_json(const CommitSizes& sizes) {
  return {{"stored_bytes", sizes.stored()},
          {"delta_bytes", sizes.delta},
          {"added_bytes", sizes.added},
          {"files_bytes", sizes.files},
          {"checkpoint_bytes", sizes.checkpoint}};
}

}  // namespace

ordered_json commit_json(const RefNames& refs, const CommitFacts& facts) {
  const Commit& commit = facts.commit;
  ordered_json out;
  out["id"] = facts.id.hex();
  const auto names = refs.find(facts.id);
  out["refs"] = names == refs.end() ? ordered_json::array() : ordered_json(names->second);
  out["parents"] = ids(commit.parents);
  out["base"] = commit.base ? ordered_json(commit.base->hex()) : ordered_json();
  out["derived_from"] = ids(commit.derived_from);
  out["kind"] = commit.is_task() ? "task" : "base";
  out["author"] = commit.author;
  out["time"] = commit.time;
  out["message"] = commit.message;
  out["training"] = ordered_json::object();
  for (const auto& [key, value] : commit.training) out["training"][key] = value;
  out["metrics"] = metrics_json(commit);
  out["signature"] = signature_json(facts.signature);
  out["evaluations"] = ordered_json::array();
  for (const CheckedEvaluation& each : facts.evaluations) out["evaluations"].push_back(evaluation_json(each));
  out["sizes"] = sizes_json(facts.sizes);
  out["density"] = facts.density ? ordered_json(*facts.density) : ordered_json();
  return out;
}

void print_pretty(const ordered_json& json) { print_json(json.dump(2, ' ', false, ordered_json::error_handler_t::replace)); }

}  // namespace dstore::cli
