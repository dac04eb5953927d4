#include "trainer/text/metrics.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "fixture.h"

using namespace dstore;
using nlohmann::json;

namespace {

void check_same(double ours, const json& expected) {
  if (expected.is_null()) {
    CHECK(std::isnan(ours));
  } else {
    CHECK(ours == Approx(expected.get<double>()).epsilon(1e-12).margin(1e-14));
  }
}

void check_all(const std::vector<MetricValue>& metrics, const json& item) {
  for (const MetricValue& metric : metrics) {
    CAPTURE(metric.name, item["truth"].dump(), item["predicted"].dump());
    check_same(metric.value, item.at(metric.name));
  }
}

}  // namespace

TEST_CASE("classification metrics equal scikit-learn's") {
  const json expected = json::parse(test::fixture("metrics_expected.json"));
  REQUIRE(expected["classification"].size() > 5);
  for (const json& item : expected["classification"]) {
    const auto truth = item["truth"].get<std::vector<std::int32_t>>();
    const auto predicted = item["predicted"].get<std::vector<std::int32_t>>();
    const std::vector<MetricValue> metrics = classification_metrics(truth, predicted, item.contains("f1") ? 2 : 3);
    CHECK(metrics.size() == (item.contains("f1") ? 5 : 4));
    check_all(metrics, item);
  }
}

TEST_CASE("multi-label metrics equal scikit-learn's") {
  const json expected = json::parse(test::fixture("metrics_expected.json"));
  REQUIRE(expected["multi_label"].size() > 5);
  for (const json& item : expected["multi_label"]) {
    const auto truth = item["truth"].get<std::vector<std::uint8_t>>();
    const auto predicted = item["predicted"].get<std::vector<std::uint8_t>>();
    check_all(multi_label_metrics(truth, predicted, item["classes"].get<std::size_t>()), item);
  }
}

TEST_CASE("regression metrics equal scipy's") {
  const json expected = json::parse(test::fixture("metrics_expected.json"));
  REQUIRE(expected["regression"].size() > 5);
  for (const json& item : expected["regression"]) {
    const auto truth = item["truth"].get<std::vector<double>>();
    const auto predicted = item["predicted"].get<std::vector<double>>();
    check_all(regression_metrics(truth, predicted), item);
  }
}

TEST_CASE("metrics refuse what cannot be compared") {
  const std::vector<std::int32_t> none, one{1}, two{0, 1}, negative{-1};
  test::error_of(ErrorCode::invalid_argument, [&] { accuracy(none, none); });
  test::error_of(ErrorCode::invalid_argument, [&] { macro_f1(one, two); });
  test::error_of(ErrorCode::invalid_argument, [&] { matthews_correlation(negative, one); });
  const std::vector<double> a{1.0}, b{1.0, 2.0};
  test::error_of(ErrorCode::invalid_argument, [&] { spearman(a, b); });
  const std::vector<std::uint8_t> three{1, 0, 1};
  test::error_of(ErrorCode::invalid_argument, [&] { multi_label_metrics(three, three, 2); });
  test::error_of(ErrorCode::invalid_argument, [&] { multi_label_metrics({}, {}, 2); });
  const std::vector<std::int32_t> third{2};
  test::error_of(ErrorCode::invalid_argument, [&] { binary_f1(one, third); });
}
