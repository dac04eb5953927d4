#include <cmath>

#include "catch.h"
#include "dstore/error.h"
#include "repo/adapter_config.h"
#include "repo/key_pattern.h"
#include "repo/symmetric_eigen.h"
#include "repo/truncated_svd.h"

namespace dstore {
namespace {

TEST_CASE("a pattern matches a module's name or what follows a dot, as PEFT's regular expression does") {
  const std::string module = "model.layers.12.self_attn.q_proj";
  for (const char* pattern : {"q_proj", "self_attn.q_proj", "model.layers.12.self_attn.q_proj", "^model.layers.12.self_attn.q_proj", "q_proj$", "layers.\\d+.self_attn.q_proj",
                              "layers.12.*", "layers\\.12\\.self_attn\\.q_proj", ".*q_proj", "q.proj", "\\w+_proj", "x?q_proj"}) {
    CAPTURE(pattern);
    CHECK(matches_module(pattern, module));
  }
  for (const char* pattern : {"proj", "k_proj", "q_pro", "^q_proj", "layers.1.self_attn.q_proj", "layers.\\d.self_attn.q_proj", "q_proj.x", "Q_PROJ"}) {
    CAPTURE(pattern);
    CHECK_FALSE(matches_module(pattern, module));
  }
  for (const char* pattern : {"(q|k)_proj", "[qk]_proj", "q{1}", "a**", "*", "\\s", "\\", "q proj"}) {
    CAPTURE(pattern);
    CHECK_THROWS_AS(matches_module(pattern, module), Error);
  }
  std::string slow;
  for (int i = 0; i < 50; ++i) slow += "a*";
  CHECK_FALSE(matches_module(slow + "b", std::string(1000, 'a')));
}

TEST_CASE("scales follow PEFT: alpha / r, alpha / sqrt(r), patterns by their order") {
  const AdapterConfig lora = parse_adapter_config(
      R"({"peft_type":"LORA","r":8,"lora_alpha":4,"rank_pattern":{"v":2,"a.v":3},"alpha_pattern":{"a.q":32},"use_dora":false,"new_field":null})", "test");
  CHECK(lora.rank_of("m.q") == 8);
  CHECK(lora.rank_of("a.v") == 2);
  CHECK(lora.scale_of("m.q") == 0.5f);
  CHECK(lora.scale_of("a.q") == 4.0f);
  CHECK(lora.scale_of("x.v") == 2.0f);
  const AdapterConfig rs = parse_adapter_config(R"({"peft_type":"LORA","r":7,"lora_alpha":3.5,"use_rslora":true})", "test");
  CHECK(rs.scale_of("m") == static_cast<float>(3.5 / std::sqrt(7.0)));
  CHECK(rs.facts().at("method") == "rslora");
}

/// sum over k of s[k] u_k v_k^T with u, v waves: nearly orthogonal.
RowMatrix waves(std::uint64_t rows, std::uint64_t columns, const std::vector<double>& s) {
  return {rows, columns, [=](std::uint64_t first, std::uint64_t count, float* out) {
            for (std::uint64_t i = 0; i < count; ++i) {
              for (std::uint64_t j = 0; j < columns; ++j) {
                double sum = 0;
                for (std::size_t k = 0; k < s.size(); ++k) {
                  sum += s[k] * std::sqrt(4.0 / static_cast<double>(rows * columns)) * std::cos(M_PI * (static_cast<double>(first + i) + 0.5) * static_cast<double>(k + 1) / static_cast<double>(rows)) *
                         std::cos(M_PI * (static_cast<double>(j) + 0.5) * static_cast<double>(k + 1) / static_cast<double>(columns));
                }
                out[i * columns + j] = static_cast<float>(sum);
              }
            }
          }};
}

TEST_CASE("a truncated SVD keeps the largest singular values, with the same bits on any number of threads") {
  const RowMatrix matrix = waves(70, 45, {5, 3, 1, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001});
  const LowRankPair two = truncated_svd(matrix, 2, 1);
  CHECK(two.kept == Approx(25 + 9).epsilon(1e-5));
  CHECK(two.energy == Approx(25 + 9 + 1 + 0.25 + 0.0625 + 0.01 + 0.0025 + 0.0004 + 0.0001).epsilon(1e-3));
  const LowRankPair again = truncated_svd(matrix, 2, 3);
  CHECK(two.a == again.a);
  CHECK(two.b == again.b);
  std::vector<float> rows(70 * 45);
  matrix.read(0, 70, rows.data());
  double rest = 0;
  for (std::size_t i = 0; i < 70; ++i) {
    for (std::size_t j = 0; j < 45; ++j) {
      const double difference = rows[i * 45 + j] - (static_cast<double>(two.b[i * 2]) * two.a[j] + static_cast<double>(two.b[i * 2 + 1]) * two.a[45 + j]);
      rest += difference * difference;
    }
  }
  CHECK(rest == Approx(two.energy - two.kept).epsilon(1e-3));
}

TEST_CASE("a truncated SVD of nothing, of a row and of what is not finite") {
  CHECK(truncated_svd(waves(5, 4, {0}), 3, 0).kept == 0);
  const LowRankPair row = truncated_svd(waves(1, 9, {2}), 4, 0);
  CHECK(row.kept == Approx(row.energy));
  CHECK(row.b.size() == 4);
  const RowMatrix bad{2, 2, [](std::uint64_t, std::uint64_t count, float* out) { std::fill_n(out, count * 2, std::nanf("")); }};
  CHECK_FALSE(truncated_svd(bad, 1, 0).finite);
}

TEST_CASE("eigenvalues come largest first, with their vectors") {
  const SymmetricEigen eigen = symmetric_eigen({2, 1, 0, 1, 2, 0, 0, 0, 5}, 3);
  CHECK(eigen.values[0] == Approx(5));
  CHECK(eigen.values[1] == Approx(3));
  CHECK(eigen.values[2] == Approx(1));
  CHECK(std::abs(eigen.vectors[2 * 3 + 0]) == Approx(1));
  CHECK(eigen.vectors[0 * 3 + 1] * eigen.vectors[1 * 3 + 1] == Approx(0.5));
}

}  // namespace
}  // namespace dstore
