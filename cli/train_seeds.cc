#include "train_seeds.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "dstore/error.h"
#include "number_text.h"

namespace dstore::cli {
namespace {

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  const double middle = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

}  // namespace

std::vector<std::string> parse_seeds(const std::string& text) {
  const auto fail = [&] { throw Error(ErrorCode::invalid_argument, "--seeds " + printable(text) + ": expected different numbers with commas, as in 1,2,3"); };
  std::vector<std::string> seeds(1);
  for (const char c : text) {
    if (c == ',') {
      seeds.emplace_back();
    } else {
      seeds.back() += c;
    }
  }
  for (const std::string& seed : seeds) {
    const bool number = !seed.empty() && seed.size() < 19 && seed.find_first_not_of("0123456789") == std::string::npos && (seed == "0" || seed.front() != '0');
    if (!number || std::count(seeds.begin(), seeds.end(), seed) != 1) fail();
  }
  if (seeds.size() < 2) fail();
  return seeds;
}

RefName name_of_seed(const RefName& name, const std::string& seed) { return RefName::parse(name.text() + "-" + seed); }

void SeedMetrics::add(const std::vector<Metric>& metrics) {
  for (const Metric& metric : metrics) {
    const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const Row& row) { return row.split == metric.split && row.name == metric.name; });
    Row& row = found == rows_.end() ? rows_.emplace_back(Row{metric.split, metric.name, {}}) : *found;
    row.values.push_back(parse_number(metric.value).value_or(std::nan("")));
  }
}

void SeedMetrics::print(const Session& session, const std::vector<std::string>& names) const {
  if (session.json) {
    nlohmann::ordered_json json = {{"tasks", names}, {"metrics", nlohmann::ordered_json::array()}};
    for (const Row& row : rows_) {
      json["metrics"].push_back({{"split", row.split}, {"name", row.name}, {"mean", mean(row.values)}, {"std", deviation(row.values)}, {"values", row.values}});
    }
    return print_json(json.dump());
  }
  for (const Row& row : rows_) {
    session.say(row.split + " " + row.name + ": " + number_text(mean(row.values), 4) + " ± " + number_text(deviation(row.values), 2) + " over " +
                std::to_string(row.values.size()) + " seeds");
  }
}

}  // namespace dstore::cli
