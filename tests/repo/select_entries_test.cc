#include "repo/select_entries.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/scratch.h"
#include "catch.h"
#include "delta/element.h"
#include "delta/stats.h"
#include "delta/tensor_pairs.h"
#include "dstore/error.h"
#include "repo/sparse_source.h"
#include "tensor/dtype.h"

namespace dstore::test {
namespace {

using testing::Change;

class MemorySource : public TensorSource {
 public:
  void add(std::string name, DType dtype, Bytes bytes) {
    const std::uint64_t elements = bytes.size() * 8 / dtype_info(dtype).bits;
    infos_.push_back({std::move(name), dtype, {elements}, bytes.size()});
    bytes_.push_back(std::move(bytes));
  }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override {
    std::copy_n(bytes_[index].begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  }
  const Bytes& bytes(std::size_t index) const { return bytes_[index]; }

 private:
  std::vector<TensorInfo> infos_;
  std::vector<Bytes> bytes_;
};

struct Models {
  MemorySource base, task, fisher;
  std::vector<Pairing> pairs;
  void add(DType dtype, std::uint64_t units, double density, Change change) {
    const std::string name(1, static_cast<char>('a' + pairs.size()));
    testing::TensorPair pair{dtype, {}, {}};
    if (units > 0) pair = testing::make_pair(dtype, units, density, change, pairs.size() + 1);
    Bytes importance(units * 4);
    for (std::uint64_t i = 0; i < units; ++i) {
      const float f = static_cast<float>((i * 7919) % 13);  // some 0, many ties
      std::memcpy(importance.data() + i * 4, &f, 4);
    }
    pairs.push_back({name, pairs.size(), pairs.size()});
    base.add(name, dtype, std::move(pair.base));
    task.add(name, dtype, std::move(pair.task));
    fisher.add(name, DType::f32, std::move(importance));
  }
};

/// Every dtype that has scores, tensors of one element and of none, many ties, NaNs.
Models make_models() {
  Models out;
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64}) {
    out.add(dtype, 3000, 0.9, Change::fine_tune);
    out.add(dtype, 1000, 0.5, Change::ulps);
    out.add(dtype, 200, 0.7, Change::special);
    out.add(dtype, 1, 1, Change::fine_tune);
    out.add(dtype, 50, 0, Change::fine_tune);
    out.add(dtype, 0, 0, Change::fine_tune);
  }
  return out;
}

struct Entry {
  bool unscored;
  double score;
  std::size_t tensor;
  std::uint64_t unit;
};

/// By sorting everything: the tensors' bytes after a selection.
std::vector<Bytes> select_slowly(const Models& models, const Score& score, const std::vector<SelectionScope>& scopes) {
  std::vector<Bytes> out;
  for (std::size_t t = 0; t < models.pairs.size(); ++t) out.push_back(models.base.bytes(t));
  for (const SelectionScope& scope : scopes) {
    std::vector<Entry> entries;
    for (const std::size_t t : scope.tensors) {
      const DType dtype = models.base.tensors()[t].dtype;
      const std::uint64_t unit = unit_type(dtype).bytes, units = models.base.bytes(t).size() / unit;
      std::vector<double> before(units), after(units), fisher(units);
      read_doubles(dtype, models.base.bytes(t), before);
      read_doubles(dtype, models.task.bytes(t), after);
      read_doubles(DType::f32, models.fisher.bytes(t), fisher);
      for (std::uint64_t i = 0; i < units; ++i) {
        if (std::memcmp(models.base.bytes(t).data() + i * unit, models.task.bytes(t).data() + i * unit, unit) == 0) continue;
        const double d = std::abs(after[i] - before[i]);
        const double value = score.name == "magnitude" ? d : score.name == "relative" ? d / (std::abs(before[i]) + 0x1p-126) : fisher[i] * d * d;
        entries.push_back({!std::isfinite(d), std::isfinite(d) ? value : 0, t, i});
      }
    }
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.unscored != b.unscored ? a.unscored : a.score > b.score; });
    entries.resize(std::min<std::size_t>(entries.size(), scope.k));
    for (const Entry& entry : entries) {
      const std::uint64_t unit = unit_type(models.base.tensors()[entry.tensor].dtype).bytes;
      std::memcpy(out[entry.tensor].data() + entry.unit * unit, models.task.bytes(entry.tensor).data() + entry.unit * unit, unit);
    }
  }
  return out;
}

std::vector<Bytes> read_all(const TensorSource& source) {
  std::vector<Bytes> out;
  for (std::size_t t = 0; t < source.tensors().size(); ++t) {
    out.emplace_back(source.tensors()[t].bytes);
    source.read(t, 0, out.back());
  }
  return out;
}

std::vector<SelectionScope> scopes_of(const ChangeRanks& ranks, bool global, std::uint64_t k) {
  std::vector<std::size_t> all(ranks.tensors().size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (global) return {{all, k}};
  std::vector<SelectionScope> scopes;
  for (const std::size_t t : all) scopes.push_back({{t}, k});
  return scopes;
}

TEST_CASE("a selection keeps what sorting every entry keeps, whatever the number of threads") {
  const Models models = make_models();
  for (const Score& score : scores()) {
    const ChangeRanks ranks(models.base, models.task, models.pairs, score, {&models.fisher, "fisher"});
    REQUIRE(ranks.tensors().size() == models.pairs.size());
    for (const bool global : {true, false}) {
      for (const std::uint64_t k : {0u, 1u, 7u, 300u, 2500u, 9000u, 100000u}) {
        INFO(score.name << (global ? " global " : " tensor ") << k);
        const std::vector<SelectionScope> scopes = scopes_of(ranks, global, k);
        const SelectedEntries selection = select_entries(ranks, scopes, 3, {});
        CHECK(read_all(SparseSource(ranks, selection.cuts)) == select_slowly(models, score, scopes));
        KeptShare all;
        for (const KeptShare& share : selection.shares) {
          all += share;
          if (!global) CHECK(share.kept == std::min(k, share.changed));
        }
        if (global) CHECK(all.kept == std::min(k, all.changed));
        CHECK(all.kept_energy <= all.energy);
        if (std::isfinite(all.energy)) CHECK((all.energy_lost() == 0) == (all.kept_energy == all.energy));
        const SelectedEntries alone = select_entries(ranks, scopes, 1, {});
        for (std::size_t t = 0; t < alone.shares.size(); ++t) {
          CHECK(alone.shares[t].energy == selection.shares[t].energy);
          CHECK(alone.shares[t].kept_energy == selection.shares[t].kept_energy);
          CHECK(alone.shares[t].least_rank == selection.shares[t].least_rank);
        }
      }
    }
  }
}

TEST_CASE("equal scores over several pieces are kept in order, and a range reads as the whole does") {
  constexpr std::uint64_t kUnits = (16u << 20) / 4 * 2 + 1000;  // three pieces
  Models models;
  Bytes before(kUnits * 4), after(kUnits * 4);
  for (std::uint64_t i = 0; i < kUnits; ++i) {
    const float value = i % 2 == 0 ? 1.5f : -1.5f;
    std::memcpy(after.data() + i * 4, &value, 4);
  }
  models.base.add("a", DType::f32, before);
  models.task.add("a", DType::f32, after);
  models.base.add("b", DType::f32, Bytes(40));
  models.task.add("b", DType::f32, Bytes(after.begin(), after.begin() + 40));
  models.pairs = {{"a", 0, 0}, {"b", 1, 1}};
  const ChangeRanks ranks(models.base, models.task, models.pairs, find_score("magnitude"), {});
  for (const std::uint64_t k : {std::uint64_t{1}, kUnits / 2, kUnits - 1, kUnits, kUnits + 4}) {
    const SelectedEntries selection = select_entries(ranks, scopes_of(ranks, true, k), 2, {});
    const SparseSource source(ranks, selection.cuts);
    const std::uint64_t in_a = std::min(k, kUnits);
    CHECK(selection.shares[0].kept == in_a);
    CHECK(selection.shares[1].kept == k - in_a);
    Bytes expected(before);
    std::copy_n(after.begin(), in_a * 4, expected.begin());
    for (const auto& [offset, size] : {std::pair<std::uint64_t, std::uint64_t>{0, kUnits * 4}, {1, 6}, {in_a * 4 - 3, 2}, {(16u << 20) - 5, 11}, {7, 0}}) {
      Bytes got(size);
      source.read(0, offset, got);
      CHECK(std::equal(got.begin(), got.end(), expected.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
  }
}

TEST_CASE("what cannot be taken entry by entry stays whole, and says why") {
  Models models;
  models.base.add("bytes", DType::u8, Bytes(8));
  models.task.add("bytes", DType::u8, Bytes(8, std::byte{1}));
  models.base.add("cast", DType::f32, Bytes(8));
  models.task.add("cast", DType::bf16, Bytes(4, std::byte{1}));
  models.base.add("grown", DType::f32, Bytes(8));
  models.task.add("grown", DType::f32, Bytes(16, std::byte{1}));
  models.task.add("head", DType::f32, Bytes(16, std::byte{1}));
  models.pairs = {{"bytes", 0, 0}, {"cast", 1, 1}, {"grown", 2, 2}, {"head", std::nullopt, 3}};
  const ChangeRanks ranks(models.base, models.task, models.pairs, find_score("magnitude"), {});
  CHECK(ranks.tensors().empty());
  std::string text;
  for (const ChangeRanks::Whole& whole : ranks.whole()) text += whole.name + ": " + whole.reason + "\n";
  CHECK(text == "bytes: no float of 16, 32 or 64 bits\ncast: another dtype than the base\ngrown: reshaped\nhead: new\n");
  const SelectedEntries selection = select_entries(ranks, {{{}, 5}}, 2, {});
  CHECK(read_all(SparseSource(ranks, selection.cuts)) == read_all(models.task));
}

TEST_CASE("a wrong importance is refused with the tensor and the reason") {
  Models models;
  models.add(DType::f32, 100, 1, Change::fine_tune);
  const auto refused = [&](DType dtype, const Bytes& bytes, const std::string& name = "a") {
    MemorySource fisher;
    fisher.add(name, dtype, bytes);
    try {
      const ChangeRanks ranks(models.base, models.task, models.pairs, find_score("fisher"), {&fisher, "f.safetensors"});
      select_entries(ranks, scopes_of(ranks, true, 5), 2, {});
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::invalid_argument);
      return std::string(error.what());
    }
    return std::string();
  };
  const auto with = [&](std::uint32_t bits) {
    Bytes bytes(400);
    std::memcpy(bytes.data() + 4 * 17, &bits, 4);
    return refused(DType::f32, bytes);
  };
  CHECK(with(0).empty());
  CHECK(with(0x80000000) == "");  // -0 is no negative number
  CHECK(with(0x7fc00000) == "f.safetensors: element 17 of a is NaN");
  CHECK(with(0xbf800000) == "f.safetensors: element 17 of a is negative");
  CHECK(with(0x7f800000) == "f.safetensors: element 17 of a is infinite");
  CHECK(refused(DType::f32, Bytes(396)).find("has not the shape") != std::string::npos);
  CHECK(refused(DType::i32, Bytes(400)).find("no real numbers") != std::string::npos);
  CHECK(refused(DType::f32, Bytes(400), "b").find("has no tensor a") != std::string::npos);
  for (const DType dtype : {DType::f16, DType::bf16, DType::f64}) CHECK(refused(dtype, Bytes(100 * unit_type(dtype).bytes)).empty());
}

}  // namespace
}  // namespace dstore::test
