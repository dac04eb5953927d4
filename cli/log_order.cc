#include "log_order.h"

#include <algorithm>
#include <set>

#include "base/edit_distance.h"
#include "dstore/error.h"

namespace dstore::cli {
namespace {

/// What a commit is compared by: a number, or a word.
struct Key {
  bool present = false;
  double number = 0;
  std::string word;
};

using KeyFunction = Key (*)(const CommitFacts&);

Key number_key(std::optional<double> number) { return {number.has_value(), number.value_or(0), ""}; }
Key time_key(const CommitFacts& facts) { return number_key(static_cast<double>(facts.commit.time)); }
Key size_key(const CommitFacts& facts) { return number_key(static_cast<double>(facts.sizes.stored())); }
Key density_key(const CommitFacts& facts) { return number_key(facts.density); }
Key method_key(const CommitFacts& facts) { return {facts.is_task(), 0, facts.is_task() ? method_of(facts.commit) : ""}; }

Key metric_key(const CommitFacts& facts, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (const auto value = metric_value(facts, name)) return number_key(value);
  }
  return {};
}

struct Field {
  const char* name;
  KeyFunction key;
};
constexpr Field kFields[] = {{"time", time_key}, {"size", size_key}, {"density", density_key}, {"method", method_key}};

[[noreturn]] void fail_unknown(const std::string& field, const std::vector<const CommitFacts*>& commits) {
  std::set<std::string> names;
  for (const Field& known : kFields) names.insert(known.name);
  for (const CommitFacts* facts : commits) {
    for (const Metric& metric : all_metrics(*facts)) names.insert(metric.name);
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + printable(name);
  const auto near = nearest(field, {names.begin(), names.end()});
  throw Error(ErrorCode::invalid_argument, "--sort: no commit here has a metric \"" + printable(field) + "\"" +
                                               (near ? "; did you mean " + printable(*near) + "?" : "; there is " + list));
}

}  // namespace

void sort_commits(const std::string& field, std::vector<const CommitFacts*>& commits) {
  const bool descending = field.starts_with('-');
  const std::string name = field.substr(descending ? 1 : 0);
  const auto known = std::find_if(std::begin(kFields), std::end(kFields), [&](const Field& f) { return f.name == name; });
  struct Row {
    Key key;
    const CommitFacts* facts;
  };
  std::vector<Row> rows;
  bool found = known != std::end(kFields);
  const std::vector<std::string> metrics = metric_names(name);
  for (const CommitFacts* facts : commits) {
    Key key = known != std::end(kFields) ? known->key(*facts) : metric_key(*facts, metrics);
    found = found || key.present;
    rows.push_back({std::move(key), facts});
  }
  if (!found && !commits.empty()) fail_unknown(name, commits);
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    if (a.key.present != b.key.present) return a.key.present;
    const Row& less = descending ? b : a;
    const Row& more = descending ? a : b;
    return less.key.number != more.key.number ? less.key.number < more.key.number : less.key.word < more.key.word;
  });
  for (std::size_t i = 0; i < rows.size(); ++i) commits[i] = rows[i].facts;
}

}  // namespace dstore::cli
