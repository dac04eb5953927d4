#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "base/decimal.h"
#include "number_text.h"
#include "output.h"
#include "report/html.h"
#include "study/report.h"

namespace dstore::cli {
namespace {

constexpr const char* kVerdicts[] = {"yes", "no", "not decided"};

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string interval_text(const PairedInterval& interval) { return points_text(interval.low) + " to " + points_text(interval.high); }

std::string mean_of(const RunGroup& group, std::optional<double> (*value)(const RunResult&), double scale, int digits) {
  const auto mean = group.mean(value);
  return mean ? fixed(mean->mean * scale, digits) : "";
}

/// "2 of 3" while some are missing.
std::string of_all(std::size_t count, std::size_t all) { return std::to_string(count) + (count < all ? " of " + std::to_string(all) : ""); }

const GroupComparison* comparison_of(const Results& results, const RunGroup& group) {
  for (const GroupComparison& one : results.comparisons) {
    if (one.group == &group) return &one;
  }
  return nullptr;
}

std::string candidate_text(const Cell& candidate) {
  const auto dev = candidate.metric("dev");
  if (candidate.is_done() && dev) return fixed(100 * *dev, 2);
  return candidate.state == Cell::State::failed ? "failed" : "not run yet";
}

std::string methods_table(const Results& results, const StudyTask& task) {
  HtmlTable table("list", {{"method", "left"}, {"test, %"}, {"to " + name_html(results.study.against)}, {"95 % interval"}, {"dev, %"}, {"train &#8722; dev"}, {"stored"},
                           {"weights changed"}, {"s/step"}, {"CPU s/step"}, {"peak"}, {"seeds"}});
  bool any = false;
  for (const RunGroup& group : results.groups) {
    if (group.task != &task) continue;
    any = true;
    const GroupComparison* compared = comparison_of(results, group);
    const auto fact = [&](std::optional<double> (*value)(const RunResult&), double scale, int digits) { return mean_of(group, value, scale, digits); };
    const auto bytes = group.mean([](const RunResult& run) { return std::optional(static_cast<double>(run.bytes())); });
    const auto changed = group.mean([](const RunResult& run) { return run.number("changed"); });
    const auto peak = group.mean([](const RunResult& run) { return run.number("peak_rss_bytes"); });
    table.add({{name_html(group.label()), "name"},
               {mean_text(group.mean(test_score))},
               {compared ? points_text(compared->interval.difference) : ""},
               {compared ? interval_text(compared->interval) : ""},
               {mean_text(group.mean(dev_score))},
               {fact([](const RunResult& run) { return run.gap(); }, 100, 1)},
               {human_size(static_cast<std::uint64_t>(bytes->mean))},
               {changed ? grouped(static_cast<std::uint64_t>(changed->mean)) : ""},
               {fact([](const RunResult& run) { return run.number("seconds_per_step"); }, 1, 2)},
               {fact([](const RunResult& run) { return run.number("cpu_seconds_per_step"); }, 1, 2)},
               {peak ? human_size(static_cast<std::uint64_t>(peak->mean)) : ""},
               {group.sweep ? std::to_string(group.runs.size()) : of_all(group.runs.size(), results.study.seeds.size())}});
  }
  if (!any) return "";
  const std::string steps = std::to_string(task.steps.value_or(results.study.steps));
  return "<h3>" + name_html(task.name) + ", " + steps + " steps of " + std::to_string(results.study.batch) + "</h3>\n" + scrolling("Methods on " + task.name, table.html());
}

std::string fact_row(const Results& results, const char* fact) {
  std::set<std::string> values;
  for (const RunResult& run : results.runs) values.insert(run.cell->content.fact(fact));
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : ", ") + escaped(value);
  return out;
}

}  // namespace

std::string points_text(double share, bool sign) {
  const double points = std::round(share * 1e4) / 1e2;
  std::string text = fixed(std::fabs(points), 2);
  if (points < 0) return "\xE2\x88\x92" + text;  // a minus as wide as a plus
  return sign && points > 0 ? "+" + text : text;
}

std::string mean_text(const std::optional<MeanStd>& value) {
  if (!value) return "";
  return fixed(100 * value->mean, 2) + (value->n > 1 ? " \xC2\xB1 " + fixed(100 * value->std, 2) : "");
}

Verdict verdict(const StudyQuestion& question, const PairedInterval& interval) {
  const double margin = question.points / 100;
  switch (question.kind) {
    case StudyQuestion::Kind::at_least: return interval.low >= margin ? Verdict::yes : interval.high < margin ? Verdict::no : Verdict::open;
    case StudyQuestion::Kind::above: return interval.low > margin ? Verdict::yes : interval.high <= margin ? Verdict::no : Verdict::open;
    case StudyQuestion::Kind::within:
      if (interval.low >= -margin && interval.high <= margin) return Verdict::yes;
      return interval.low > margin || interval.high < -margin ? Verdict::no : Verdict::open;
  }
  return Verdict::open;
}

std::string questions_section(const Results& results) {
  if (results.study.questions.empty()) return "";
  HtmlTable table("list", {{"question", "left"}, {"answer", "left"}, {"difference"}, {"95 % interval"}, {"asked", "left"}, {"compared", "left"}, {"seeds"}});
  for (const StudyQuestion& question : results.study.questions) {
    const RunGroup *a = results.group(question.task, question.compare), *b = results.group(question.task, question.with);
    const auto interval = a != nullptr && b != nullptr ? Results::compare(*a, *b) : std::nullopt;
    table.add({{name_html(question.ask), "name"},
               {interval ? kVerdicts[static_cast<int>(verdict(question, *interval))] : "not run yet", "left best"},
               {interval ? points_text(interval->difference) : ""},
               {interval ? interval_text(*interval) : ""},
               {escaped(condition_text(question)), "left"},
               {name_html(question.compare) + " &#8722; " + name_html(question.with) + ", " + name_html(question.task), "left"},
               {interval ? of_all(interval->seeds, results.study.seeds.size()) : ""}});
  }
  return section("Answers", "In points of test accuracy, over the seeds that are done. Yes or no where the whole interval says so, else not decided.",
                 scrolling("Answers", table.html()));
}

std::string methods_section(const Results& results) {
  std::string content;
  for (const StudyTask& task : results.study.tasks) content += methods_table(results, task);
  return section("Methods",
                 "Mean &#177; standard deviation over the seeds. Intervals: paired bootstrap over seeds and texts, 10,000 replicates, percentiles; "
                 "with few seeds they are rather too narrow. Seconds: the time of training, the search for a mask included, evaluations not, over its steps; "
                 "the peak is of the whole process, evaluations included.",
                 content.empty() ? "<p>Nothing is done yet.</p>\n" : content);
}

std::string rates_section(const Results& results) {
  HtmlTable table("list", {{"method", "left"}, {"task", "left"}, {"chosen"}, {"candidates: accuracy on dev, %", "left"}});
  bool any = false;
  for (const Cell& cell : results.cells.all()) {
    if (cell.candidate || cell.sweep || cell.seed != results.study.seeds.front() || !cell.task->rates_of.empty()) continue;
    const auto candidates = results.cells.candidates_of(cell);
    const auto is_known = [](const Cell* candidate) { return candidate->is_done() || candidate->state == Cell::State::failed; };
    if (!cell.is_done() && std::none_of(candidates.begin(), candidates.end(), is_known)) continue;
    any = true;
    std::string list;
    for (const Cell* candidate : candidates) list += (list.empty() ? "" : " &#183; ") + escaped(shortest_decimal(*candidate->rate)) + ": " + candidate_text(*candidate);
    const std::string& setting = cell.method->rate_setting;
    table.add({{name_html(cell.method->name) + (setting.empty() ? "" : " (" + escaped(setting) + ")"), "name"},
               {name_html(cell.task->name), "left"},
               {escaped(cell.rate ? shortest_decimal(*cell.rate) : cell.content.fact("lr"))},
               {list, "left"}});
  }
  if (!any) return "";
  return section("Learning rates", "Each candidate was tried in a run of " + std::to_string(results.study.rate_steps) + " steps with seed " + std::to_string(results.study.rate_seed) +
                 "; the best on dev was taken. Where a line has no candidates the rate was given.", scrolling("Learning rates", table.html()));
}

std::string failures_section(const Results& results) {
  HtmlTable table("list", {{"run", "left"}, {"why", "left"}});
  std::size_t failed = 0, left = 0;
  for (const Cell& cell : results.cells.all()) {
    if (cell.state == Cell::State::waiting || cell.state == Cell::State::todo) ++left;
    if (cell.state != Cell::State::failed) continue;
    ++failed;
    const std::string error = cell.content.fact(kErrorFact);
    table.add({{name_html(cell.name), "name"}, {escaped(error.empty() ? "no learning rate worked" : error), "left"}});
  }
  if (failed == 0 && left == 0) return "";
  const std::string note = std::to_string(left) + " runs are not done yet, " + std::to_string(failed) + " failed; those that choose a learning rate are counted too.";
  return section("What is missing", note, failed > 0 ? scrolling("Failed runs", table.html()) : "");
}

std::string environment_section(const Results& results) {
  HtmlTable table("list", {{"", "left"}, {"recorded in the commits", "left"}});
  constexpr std::pair<const char*, const char*> kFacts[] = {{"dstore", "dstore_version"}, {"LibTorch", "libtorch"}, {"processor", "cpu_capability"},
                                                            {"device", "device"},         {"threads", "threads"},   {"training texts", "n_train"},
                                                            {"dev texts", "n_dev"},       {"test texts", "n_test"}, {"data", "data_sha256"}};
  for (const auto& [name, fact] : kFacts) table.add({{name}, {fact_row(results, fact), "left name"}});
  table.add({{"base"}, {name_html(results.study.base) + ", commit <code>" + results.cells.base() + "</code>", "left name"}});
  table.add({{"study file"}, {"SHA-256 <code>" + results.study.sha256 + "</code>", "left name"}});
  return section("Made with", "", scrolling("Environment", table.html()));
}

}  // namespace dstore::cli
