#include <algorithm>

#include "commit_view.h"
#include "number_text.h"
#include "output.h"

namespace dstore::cli {
namespace {

struct Abbreviation {
  std::string_view name, text;
};
constexpr Abbreviation kMetricNames[] = {
    {"accuracy", "acc"}, {"matthews", "mcc"}, {"matthews_correlation", "mcc"}, {"pearson", "r"}, {"spearman", "rho"}};
constexpr std::size_t kNarrowName = 6;
constexpr std::size_t kNarrowDigits = 6;

std::string without(std::string text, char unwanted) {
  text.erase(std::remove(text.begin(), text.end(), unwanted), text.end());
  return text;
}

}  // namespace

std::vector<std::string> metric_names(const std::string& typed) {
  std::vector<std::string> names{typed};
  for (const Abbreviation& known : kMetricNames) {
    if (known.text == typed) names.emplace_back(known.name);
  }
  return names;
}

std::string metric_text(const CommitFacts& facts, bool narrow) {
  const Metric* metric = headline_metric(facts);
  if (metric == nullptr) return "";
  if (!narrow) return printable(metric->name + " " + brief_number(metric->value));
  const auto known = std::find_if(std::begin(kMetricNames), std::end(kMetricNames), [&](const Abbreviation& a) { return a.name == metric->name; });
  const std::string name = known == std::end(kMetricNames) ? shorten(printable(metric->name), kNarrowName) : std::string(known->text);
  return name + " " + printable(metric->value.substr(0, kNarrowDigits));
}

std::string signer_text(const Verification& signature, bool narrow) {
  const std::string text = verdict_mark(signature).text;
  return narrow ? text.substr(0, text.find('@')) : text;
}

std::string age_text(const Commit& commit, bool narrow) {
  const std::string text = age(commit.time, now());
  const std::size_t space = text.find(' ');
  if (!narrow || space == std::string::npos) return text;
  if (text.front() < '0' || text.front() > '9') return "-";
  const std::string unit = text.substr(space + 1);
  return text.substr(0, space) + (unit.starts_with("month") ? "mo" : unit.substr(0, 1));
}

std::string density_text(double density, bool narrow) { return narrow ? without(share_text(density), ' ') : share_text(density); }

}  // namespace dstore::cli
