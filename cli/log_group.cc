#include "log_group.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/edit_distance.h"
#include "dstore/error.h"
#include "number_text.h"
#include "output.h"

namespace dstore::cli {
namespace {

/// What the names of groups are made from.
struct Context {
  const RefNames& refs;
  std::map<ObjectId, std::string> tasks;
};

std::string task_of(const Context& context, const CommitFacts& facts) {
  if (!facts.is_task()) return "(bases)";
  const auto found = context.tasks.find(facts.id);
  return found == context.tasks.end() ? "(no branch)" : found->second;
}
std::string method_group(const Context&, const CommitFacts& facts) { return method_of(facts.commit); }
std::string base_of(const Context& context, const CommitFacts& facts) {
  const ObjectId id = facts.commit.base.value_or(facts.id);
  const std::string names = joined_refs(context.refs, id);
  return names.empty() ? id.short_hex() : names;
}
std::string signer_of(const Context&, const CommitFacts& facts) {
  return facts.signature.verdict == Verdict::good ? facts.signature.principal : "(" + std::string(verdict_name(facts.signature.verdict)) + ")";
}
std::string author_of(const Context&, const CommitFacts& facts) { return facts.commit.author; }
std::string density_of(const Context&, const CommitFacts& facts) { return facts.density ? share_text(*facts.density) : "(bases)"; }

struct Field {
  const char* name;
  std::string (*group)(const Context&, const CommitFacts&);
};
constexpr Field kFields[] = {{"task", task_of},     {"method", method_group}, {"base", base_of},
                             {"signer", signer_of}, {"author", author_of},    {"density", density_of}};

struct Group {
  std::string name;
  std::vector<const CommitFacts*> commits;
};

struct Summary {
  std::uint64_t stored = 0;
  std::int64_t newest = 0;
  std::string metric;  ///< empty: none
  std::optional<double> least, greatest;
};

Summary summarise(const Group& group) {
  Summary out;
  std::map<std::string, std::size_t> uses;
  for (const CommitFacts* facts : group.commits) {
    out.stored += facts->sizes.stored();
    out.newest = std::max(out.newest, facts->commit.time);
    if (const Metric* metric = headline_metric(*facts)) ++uses[metric->name];
  }
  for (const auto& [name, count] : uses) {
    if (out.metric.empty() || count > uses[out.metric]) out.metric = name;
  }
  for (const CommitFacts* facts : group.commits) {
    const auto value = metric_value(*facts, out.metric);
    if (!value) continue;
    out.least = std::min(out.least.value_or(*value), *value);
    out.greatest = std::max(out.greatest.value_or(*value), *value);
  }
  return out;
}

std::vector<Group> make_groups(const Field& field, const Context& context, const std::vector<const CommitFacts*>& commits) {
  std::vector<Group> groups;
  std::unordered_map<std::string, std::size_t> places;
  for (const CommitFacts* facts : commits) {
    std::string name = field.group(context, *facts);
    const auto [place, fresh] = places.try_emplace(name, groups.size());
    if (fresh) groups.push_back({std::move(name), {}});
    groups[place->second].commits.push_back(facts);
  }
  return groups;
}

const Field& find_field(const std::string& typed) {
  std::vector<std::string> names;
  for (const Field& field : kFields) {
    if (field.name == typed) return field;
    names.emplace_back(field.name);
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  const auto near = nearest(typed, names);
  throw Error(ErrorCode::invalid_argument,
              "--group-by: \"" + printable(typed) + "\" is no field" + (near ? "; did you mean " + *near + "?" : "; there is " + list));
}

nlohmann::ordered_json group_json(const Group& group) {
  using nlohmann::ordered_json;
  const Summary summary = summarise(group);
  ordered_json ids = ordered_json::array();
  for (const CommitFacts* facts : group.commits) ids.push_back(facts->id.hex());
  return {{"group", group.name},
          {"commits", std::move(ids)},
          {"stored_bytes", summary.stored},
          {"newest", summary.newest},
          {"metric", summary.metric.empty() ? ordered_json() : ordered_json(summary.metric)},
          {"least", summary.least ? ordered_json(*summary.least) : ordered_json()},
          {"greatest", summary.greatest ? ordered_json(*summary.greatest) : ordered_json()}};
}

std::string range_text(const Summary& summary) {
  if (!summary.least) return "";
  const std::string least = number_text(*summary.least, 4), greatest = number_text(*summary.greatest, 4);
  return printable(summary.metric) + " " + least + (least == greatest ? "" : " .. " + greatest);
}

}  // namespace

void print_groups(const Session& session, const std::string& typed, Catalog& catalog, const RefView& refs,
                  const std::vector<const CommitFacts*>& commits, std::size_t limit) {
  const Field& field = find_field(typed);
  std::vector<Group> groups = make_groups(field, {refs.names, task_branches(catalog, refs.branches())}, commits);
  groups.resize(std::min(groups.size(), limit));
  if (session.json) {
    auto out = nlohmann::ordered_json::array();
    for (const Group& group : groups) out.push_back(group_json(group));
    print_pretty(out);
    return;
  }
  Table table({field.name, ">commits", ">stored", "metric", ">newest"});
  for (const Group& group : groups) {
    const Summary summary = summarise(group);
    table.add({printable(group.name), grouped(group.commits.size()), human_size(summary.stored), range_text(summary), age(summary.newest, now())});
  }
  std::string text = table.text();
  text.pop_back();
  session.say(text);
}

}  // namespace dstore::cli
