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

using KeyFunction = Key (*)(const Repository&, CommitSizer&, const CheckedCommit&);

Key number_key(std::optional<double> number) { return {number.has_value(), number.value_or(0), ""}; }
Key time_key(const Repository&, CommitSizer&, const CheckedCommit& commit) { return number_key(static_cast<double>(commit.commit.time)); }
Key size_key(const Repository&, CommitSizer& sizer, const CheckedCommit& commit) {
  return number_key(static_cast<double>(sizer.sizes(commit.id, commit.commit).stored()));
}
Key density_key(const Repository& repository, CommitSizer& sizer, const CheckedCommit& commit) {
  return number_key(task_density(repository, sizer, commit));
}
Key method_key(const Repository&, CommitSizer&, const CheckedCommit& commit) {
  return {commit.commit.is_task(), 0, commit.commit.is_task() ? method_text(commit.commit) : ""};
}

struct Field {
  const char* name;
  KeyFunction key;
};
constexpr Field kFields[] = {{"time", time_key}, {"size", size_key}, {"density", density_key}, {"method", method_key}};

[[noreturn]] void fail_unknown(const std::string& field, const std::vector<CheckedCommit>& commits) {
  std::set<std::string> names;
  for (const Field& known : kFields) names.insert(known.name);
  for (const CheckedCommit& commit : commits) {
    for (const Metric& metric : commit.commit.metrics) names.insert(metric.name);
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + printable(name);
  const auto near = nearest(field, {names.begin(), names.end()});
  throw Error(ErrorCode::invalid_argument, "--sort: no commit here has a metric \"" + printable(field) + "\"" +
                                               (near ? "; did you mean " + printable(*near) + "?" : "; there is " + list));
}

}  // namespace

void sort_commits(const Repository& repository, CommitSizer& sizer, const std::string& field, std::vector<CheckedCommit>& commits) {
  const bool descending = field.starts_with('-');
  const std::string name = field.substr(descending ? 1 : 0);
  const auto known = std::find_if(std::begin(kFields), std::end(kFields), [&](const Field& f) { return f.name == name; });
  struct Row {
    Key key;
    CheckedCommit commit;
  };
  std::vector<Row> rows;
  bool found = known != std::end(kFields);
  for (const CheckedCommit& commit : commits) {
    Key key = known != std::end(kFields) ? known->key(repository, sizer, commit) : number_key(metric_value(commit.commit, name));
    found = found || key.present;
    rows.push_back({std::move(key), commit});
  }
  if (!found && !commits.empty()) fail_unknown(name, commits);
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    if (a.key.present != b.key.present) return a.key.present;
    const Row& less = descending ? b : a;
    const Row& more = descending ? a : b;
    return less.key.number != more.key.number ? less.key.number < more.key.number : less.key.word < more.key.word;
  });
  for (std::size_t i = 0; i < rows.size(); ++i) commits[i] = std::move(rows[i].commit);
}

}  // namespace dstore::cli
