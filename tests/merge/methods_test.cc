#include <cmath>
#include <random>

#include "catch.h"
#include "delta/stats.h"
#include "merge/merge_method.h"
#include "merge/rounding.h"
#include "merge_cases.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

using Tensors = std::vector<std::vector<double>>;

/// The base first. Values of the dtype.
Tensors make_tensors(DType dtype, std::size_t models, std::size_t elements, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> gaussian;
  Tensors out(models + 1, std::vector<double>(elements));
  with_arithmetic(dtype, [&]<class A>(A) {
    for (std::size_t j = 0; j < elements; ++j) {
      out[0][j] = A::round(0.05 * gaussian(random));
      for (std::size_t i = 1; i <= models; ++i) out[i][j] = random() % 3 == 0 ? out[0][j] : A::round(out[0][j] + 0.01 * gaussian(random));
    }
  });
  return out;
}

using Statistics = std::vector<const TensorSource*>;

/// The tensors as rows of `row` elements, in windows of `step` elements, or of so many rows as fit where the method wants rows.
std::vector<double> merged(const char* name, const Tensors& tensors, DType dtype, std::size_t step, const MergeSettings::Given& given = {},
                           std::size_t row = 0, const Statistics& statistics = {}) {
  const MergeMethod& method = find_merge_method(name);
  const MergeSettings settings(method.name, method.parameters, given, tensors.size() - 1, 5);
  const std::size_t elements = tensors[0].size();
  MergedTensor tensor{"t", dtype, elements, {elements}};
  if (row > 0) tensor.shape = {elements / row, row};
  for (const TensorSource* source : statistics) tensor.statistics.push_back({source, 0});
  const auto each_window = [&](std::size_t unit, auto visit) {
    const std::size_t size = std::max<std::size_t>(1, step / unit) * unit;
    for (std::size_t at = 0; at < elements; at += size) {
      const std::size_t count = std::min(size, elements - at);
      std::vector<std::span<const double>> models;
      for (std::size_t i = 1; i < tensors.size(); ++i) models.push_back(std::span(tensors[i]).subspan(at, count));
      visit(MergeWindow{at, std::span(tensors[0]).subspan(at, count), models});
    }
  };
  const auto model = method.make_model == nullptr ? nullptr : method.make_model(settings, {&tensor, 1});
  while (model && model->wants_pass()) {
    each_window(1, [&](const MergeWindow& window) { model->look(0, window); });
    model->end_pass();
  }
  const auto merge = model ? model->make(settings, 0) : method.make(settings, tensor);
  while (merge->wants_pass()) {
    each_window(merge->row(), [&](const MergeWindow& window) { merge->look(window); });
    merge->end_pass();
  }
  std::vector<double> out(elements);
  each_window(merge->row(), [&](const MergeWindow& window) { merge->apply(window, std::span(out).subspan(window.first, window.size())); });
  return out;
}

}  // namespace

TEST_CASE("Every method gives the same values whatever the windows, and values of the dtype") {
  for (const MergeMethod* method : merge_methods()) {
    const std::size_t models = method->most_models == 2 ? 2 : 3;
    const std::vector<OneTensor> files = make_statistics(*method, models, 1000);
    Statistics statistics;
    for (const OneTensor& file : files) statistics.push_back(&file);
    for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
      const Tensors tensors = make_tensors(dtype, models, 1000, 1);
      for (const MergeSettings::Given& given : interesting_settings(*method)) {
        INFO(method->name << " dtype " << static_cast<int>(dtype) << text_of(given));
        const std::vector<double> whole = merged(method->name.data(), tensors, dtype, 1000, given, 25, statistics);
        CHECK(whole == merged(method->name.data(), tensors, dtype, 1, given, 25, statistics));
        CHECK(whole == merged(method->name.data(), tensors, dtype, 37, given, 25, statistics));
        Bytes bits(8 * whole.size());
        std::vector<double> again(whole.size());
        write_doubles(dtype, whole, bits);
        read_doubles(dtype, bits, again);
        CHECK(again == whole);
      }
    }
  }
}

TEST_CASE("A single model merges to itself as far as its dtype can say it") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensors tensors = make_tensors(dtype, 1, 500, 2);
    for (const char* name : {"task_arithmetic", "ties", "ram", "linear"}) {
      const std::vector<double> out = merged(name, tensors, dtype, 100, {});
      for (std::size_t j = 0; j < out.size(); ++j) {
        const double slack = std::string(name) == "ram" ? 1.1e-5 : 1e-8;
        CHECK(std::fabs(out[j] - tensors[1][j]) <= slack);
      }
    }
  }
}

TEST_CASE("Linear merges are weighted means") {
  const Tensors tensors = {{0, 0, 0}, {1, 2, -4}, {3, 2, 8}};
  CHECK(merged("linear", tensors, DType::f32, 3) == std::vector<double>{2, 2, 2});
  CHECK(merged("linear", tensors, DType::f32, 3, {{"weight", {"3", "1"}}}) == std::vector<double>{1.5, 2, -1});
  CHECK(merged("linear", tensors, DType::f32, 3, {{"normalize", {"false"}}}) == std::vector<double>{4, 4, 4});
}

TEST_CASE("Differences are added with their weights") {
  const Tensors tensors = {{10, 10, 10}, {11, 12, 10}, {10, 8, 10}};
  CHECK(merged("task_arithmetic", tensors, DType::f32, 3) == std::vector<double>{11, 10, 10});
  CHECK(merged("task_arithmetic", tensors, DType::f32, 3, {{"weight", {"2", "-1"}}}) == std::vector<double>{12, 16, 10});
  CHECK(merged("task_arithmetic", tensors, DType::f32, 3, {{"lambda", {"0.5"}}}) == std::vector<double>{10.5, 10, 10});
}

TEST_CASE("TIES drops the smallest, elects a sign and averages what agrees") {
  const Tensors tensors = {{0, 0, 0, 0}, {4, 1, 3, -2}, {2, -6, 0.5, -4}, {-1, -2, 5, 1}};
  CHECK(merged("ties", tensors, DType::f32, 4) == std::vector<double>{3, -4, static_cast<float>(8.5 / 3), -3});
  // Half of each is kept: 4 and 3; -6 and -4; 5 and -2.
  CHECK(merged("ties", tensors, DType::f32, 4, {{"density", {"0.5"}}}) == std::vector<double>{4, -4, 4, -4});
  // Weights elect, and divide: -6 * 1 against 1 * 10.
  const std::vector<double> weighted = merged("ties", tensors, DType::f32, 4, {{"weight", {"10", "1", "1"}}});
  CHECK(weighted[1] == 1);
  CHECK(weighted[3] == static_cast<float>(-24.0 / 11));
  CHECK(merged("ties", tensors, DType::f32, 4, {{"elect", {"count"}}, {"mean", {"count"}}}) == std::vector<double>{3, -4, static_cast<float>(8.5 / 3), -3});
}

TEST_CASE("Reinforced agent merging adds what is unique and averages what is shared") {
  const Tensors tensors = {{0, 0, 0}, {4, 1, 0}, {2, 0, 0}};
  CHECK(merged("ram", tensors, DType::f64, 3) == std::vector<double>{3, 1, 0});
  CHECK(merged("ramplus_tl", tensors, DType::f64, 3, {{"r", {"1"}}, {"alpha", {"0.5"}}}) == std::vector<double>{3, 1.5, 0});
}

TEST_CASE("Slerp keeps the length of orthogonal vectors of one length, and is linear for parallel ones") {
  const Tensors orthogonal = {{0, 0}, {1, 0}, {0, 1}};
  const std::vector<double> half = merged("slerp", orthogonal, DType::f64, 2);
  CHECK(std::fabs(std::hypot(half[0], half[1]) - 1) < 1e-12);
  const Tensors parallel = {{0, 0}, {1, 2}, {3, 6}};
  CHECK(merged("slerp", parallel, DType::f64, 2, {{"t", {"0.25"}}}) == std::vector<double>{1.5, 3});
}

TEST_CASE("Model stock keeps the base where differences oppose, and takes the mean where they agree") {
  const Tensors opposed = {{1, 1}, {2, 1}, {0, 1}};
  CHECK(merged("model_stock", opposed, DType::f64, 2) == std::vector<double>{1, 1});
  const Tensors equal = {{1, 1}, {2, 3}, {2, 3}};
  const std::vector<double> mean = merged("model_stock", equal, DType::f64, 2);
  CHECK(std::fabs(mean[0] - 2) < 1e-12);
  CHECK(std::fabs(mean[1] - 3) < 1e-12);
}
