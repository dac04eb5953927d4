#include "merge/piece_merge.h"

#include <cmath>
#include <memory>

#include "catch.h"
#include "delta/stats.h"
#include "merge_cases.h"

using namespace dstore;
using dstore::testing::Change;
using dstore::testing::make_models;
using dstore::testing::Models;

namespace {

MergeSettings settings_of(const MergeMethod& method, std::size_t models, const char* density) {
  MergeSettings::Given given;
  for (const auto& [name, value] : method.parameters) {
    if (name == "density") given["density"] = {density};
    if (name == "epsilon") given["epsilon"] = {"0.005"};
    if (name == "select_topk") given["select_topk"] = {"0.5"};
    if (name == "weight") {
      for (std::size_t i = 0; i < models; ++i) given["weight"].push_back(i % 2 == 0 ? "0.7" : "1.3");
    }
  }
  return MergeSettings(method.name, method.parameters, given, models, 11);
}

Bytes merged_whole(const MergeMethod& method, const Models& models, const MergeSettings& settings, std::size_t window) {
  const auto merge = method.make(settings, {"t", models.dtype, models.elements()});
  const std::vector<ByteSpan> views(models.tasks.begin(), models.tasks.end());
  const RawElements raw{{0, {}}, models.base, views};
  ElementMerge elements(models.dtype, window);
  while (merge->wants_pass()) {
    elements.look(*merge, raw);
    merge->end_pass();
  }
  Bytes out(models.base.size());
  elements.apply(*merge, raw, out);
  return out;
}

Bytes merged_sparsely(const MergeMethod& method, const Models& models, const MergeSettings& settings, std::size_t window) {
  const std::vector<std::uint64_t> changed = models.changed();
  const auto merge = method.make(settings, {"t", models.dtype, models.elements(), {}, {}, changed});
  REQUIRE(merge->only_changes());
  PieceMerge piece(models.dtype, 0, models.base, models.pieces(), "t", window);
  while (merge->wants_pass()) {
    piece.look(*merge);
    merge->end_pass();
  }
  Bytes out = models.base;
  put_changes(piece.apply(*merge), 0, unit_type(models.dtype).bytes, out);
  return out;
}

}  // namespace

TEST_CASE("A sparse merge has the bits of the dense one: all methods, dtypes, densities, windows") {
  for (const MergeMethod* method : merge_methods()) {
    if (!method->statistics.empty() || method->make == nullptr) continue;  // those look at more than one tensor's changes
    const std::size_t count = method->most_models == 2 ? 2 : 3;
    for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64, DType::c64}) {
      for (const double share : {0.0, 0.001, 0.05, 0.6}) {
        for (const Change change : {Change::fine_tune, Change::special}) {
          const Models models = make_models(dtype, 3001, count, share, change, 5);
          for (const char* density : {"0.01", "0.4", "1"}) {
            const MergeSettings settings = settings_of(*method, count, density);
            if (!method->make(settings, {"t", dtype, 3001})->only_changes()) continue;
            INFO(method->name << " dtype " << static_cast<int>(dtype) << " changed " << share << " density " << density << " values " << static_cast<int>(change));
            const Bytes whole = merged_whole(*method, models, settings, 4096);
            CHECK(merged_whole(*method, models, settings, 100) == whole);
            CHECK(merged_sparsely(*method, models, settings, 4096) == whole);
            CHECK(merged_sparsely(*method, models, settings, 7) == whole);
          }
        }
      }
    }
  }
}

TEST_CASE("Methods that go by changes alone, and those that measure whole weights") {
  for (const char* name : {"linear", "task_arithmetic", "ties", "dare_linear", "dare_ties", "breadcrumbs", "breadcrumbs_ties", "magnitude_prune", "nuslerp",
                           "model_stock", "ram", "ramplus_tl", "sce", "nearswap"}) {
    const MergeMethod& method = find_merge_method(name);
    CHECK(method.make(MergeSettings(name, method.parameters, {}, 2, 0), {"t", DType::f32, 10})->only_changes());
  }
  const MergeMethod &slerp = find_merge_method("slerp"), &nuslerp = find_merge_method("nuslerp");
  CHECK(!slerp.make(MergeSettings(slerp.name, slerp.parameters, {}, 2, 0), {"t", DType::f32, 10})->only_changes());
  CHECK(!nuslerp.make(MergeSettings(nuslerp.name, nuslerp.parameters, {{"of", {"weights"}}}, 2, 0), {"t", DType::f32, 10})->only_changes());
}

TEST_CASE("An element that no model changes keeps its bits, NaN payloads included") {
  for (const MergeMethod* method : merge_methods()) {
    if (method->make == nullptr || !method->statistics.empty() || method->make_model != nullptr || method->make(settings_of(*method, 2, "0.5"), {"t", DType::bf16, 2000})->row() > 1) continue;
    const Models models = make_models(DType::bf16, 2000, 2, 0.3, Change::special, 8);
    const Bytes out = merged_whole(*method, models, settings_of(*method, 2, "0.5"), 64);
    for (std::size_t at = 0; at < out.size(); at += 2) {
      const auto same = [&](const Bytes& other) { return std::equal(&models.base[at], &models.base[at] + 2, &other[at]); };
      if (same(models.tasks[0]) && same(models.tasks[1])) CHECK(same(out));
    }
  }
}
