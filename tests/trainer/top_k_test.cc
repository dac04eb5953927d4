#include <algorithm>
#include <cmath>

#include "catch.h"
#include "trainer/optim/top_k.h"
#include "trainer/text/philox.h"

using namespace dstore;

namespace {

using Scores = std::vector<std::vector<float>>;

std::vector<std::vector<std::uint32_t>> select(const Scores& scores, std::uint64_t k) {
  std::vector<ScoreReader> readers;
  for (const auto& tensor : scores) {
    readers.push_back([&tensor](const auto& body) {
      for (std::size_t first = 0; first < tensor.size(); first += 7) {
        body(first, std::span<const float>(tensor).subspan(first, std::min<std::size_t>(7, tensor.size() - first)));
      }
    });
  }
  return select_top_k(readers, k);
}

/// Sorts everything.
std::vector<std::vector<std::uint32_t>> select_slowly(const Scores& scores, std::uint64_t k) {
  struct Entry {
    float magnitude;
    std::size_t tensor, index;
  };
  std::vector<Entry> entries;
  for (std::size_t t = 0; t < scores.size(); ++t) {
    for (std::size_t i = 0; i < scores[t].size(); ++i) {
      if (scores[t][i] != 0 && !std::isnan(scores[t][i])) entries.push_back({std::abs(scores[t][i]), t, i});
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.magnitude > b.magnitude; });
  std::vector<std::vector<std::uint32_t>> selected(scores.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(k, entries.size()); ++i) {
    selected[entries[i].tensor].push_back(static_cast<std::uint32_t>(entries[i].index));
  }
  for (auto& indices : selected) std::sort(indices.begin(), indices.end());
  return selected;
}

}  // namespace

TEST_CASE("top-k selects what sorting everything selects") {
  const Philox noise(1, RandomStream::sampling);
  for (const int coarse : {0, 1, 2}) {  // coarser scores: more ties
    Scores scores(3);
    for (std::size_t i = 0; i < 3000; ++i) {
      const double value = noise.normal(i);
      const double step = coarse == 0 ? 0 : coarse == 1 ? 0.25 : 1.0;
      scores[i % 3].push_back(static_cast<float>(step == 0 ? value : std::round(value / step) * step));
    }
    scores[1][5] = std::nanf("");
    scores[2][9] = -INFINITY;
    scores[0][1] = 1e-42f;
    scores[0][2] = -0.0f;
    for (const std::uint64_t k : {0u, 1u, 2u, 10u, 777u, 2500u, 2999u, 3000u, 9999u}) {
      INFO(coarse << " " << k);
      CHECK(select(scores, k) == select_slowly(scores, k));
    }
  }
}

TEST_CASE("ties go to the earlier tensor and the lower index") {
  const auto selected = select({{1, 2, 1}, {2, 1, 1}}, 4);
  CHECK(selected[0] == std::vector<std::uint32_t>{0, 1, 2});
  CHECK(selected[1] == std::vector<std::uint32_t>{0});
}
