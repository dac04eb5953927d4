// What tasks change, against a plain loop over whole tensors.
#include "repo/compare_tasks.h"

#include <cmath>

#include "delta/element.h"
#include "delta/stats.h"
#include "repo/delta_store.h"

namespace dstore::test {
namespace {

/// Tasks on one base: their deltas and the tensors that they were made from.
struct Tasks : DeltaStore {
  explicit Tasks(const MemorySource& source) : base(source), weights(StoredWeights::load(repository.store(), add_weights(source))) {}

  void add(const MemorySource& task, const std::map<std::string, LowRankFactors>& low_rank = {}) {
    PackSession session = repository.store().begin_write();
    deltas.push_back(std::make_unique<DeltaTable>(write_delta(session, *weights, task, align(*weights, task, {}).pairs, 0, {}, low_rank).table));
    session.commit();
    loaded.push_back(StoredWeights::load(repository.store(), *deltas.back()));
    sources.push_back(&task);
    views.push_back({deltas.back().get(), loaded.back().get()});
  }
  TaskComparison compare(unsigned threads = 0) const { return compare_tasks(repository.store(), views, threads, {}); }

  const MemorySource& base;
  std::unique_ptr<StoredWeights> weights;
  std::vector<std::unique_ptr<DeltaTable>> deltas;
  std::vector<std::unique_ptr<StoredWeights>> loaded;
  std::vector<const MemorySource*> sources;
  std::vector<TaskView> views;
};

/// Every k-th unit of the tensor from `first` on with its lowest bits changed.
TestTensor touched(TestTensor tensor, std::size_t first, std::size_t every, unsigned seed) {
  std::mt19937 engine(seed);
  const std::size_t unit = unit_type(tensor.dtype).bytes;
  for (std::size_t at = first * unit; at < tensor.bytes.size(); at += every * unit) {
    tensor.bytes[at] = static_cast<char>(tensor.bytes[at] ^ static_cast<char>(1 + engine() % 31));
  }
  return tensor;
}

std::vector<double> doubles(const TestTensor& tensor) {
  std::vector<double> out(tensor.bytes.size() / unit_type(tensor.dtype).bytes);
  read_doubles(tensor.dtype, as_bytes(tensor.bytes), out);
  return out;
}

bool same_sums(const DifferenceStats& a, const DifferenceStats& b) {
  return a.units == b.units && a.changed == b.changed && a.l1 == b.l1 && a.sum_of_squares == b.sum_of_squares && a.max_abs == b.max_abs && a.ulps == b.ulps;
}

const TensorChange& find(const TaskChanges& changes, const std::string& name) {
  for (const TensorChange& tensor : changes.tensors) {
    if (tensor.info.name == name) return tensor;
  }
  throw std::runtime_error("no tensor " + name);
}

constexpr DType kFloats[] = {DType::f16, DType::bf16, DType::f32, DType::f64};

}  // namespace

TEST_CASE("What a task changes is what a loop over both tensors finds, for every dtype, sparse and dense") {
  std::vector<TestTensor> before, after;
  unsigned seed = 1;
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64, DType::c64, DType::i8, DType::i64, DType::u16, DType::boolean, DType::f8_e4m3}) {
    for (const std::size_t every : {std::size_t{1}, std::size_t{3}, std::size_t{5000}}) {
      const std::string name = "t" + std::to_string(++seed);
      before.push_back(tensor(name, {20, 3000}, seed, dtype));
      after.push_back(touched(before.back(), 7, every, seed + 100));
    }
  }
  const MemorySource base(before), task(after);
  Tasks tasks(base);
  tasks.add(task);
  const TaskComparison found = tasks.compare();
  REQUIRE(found.tasks.size() == 1);
  CHECK(found.pairs.empty());
  DifferenceStats total;
  for (std::size_t i = 0; i < base.tensors().size(); ++i) {
    const std::string& name = base.tensors()[i].name;
    const DifferenceStats expected = difference_stats(base.tensors()[i].dtype, as_bytes(base.bytes(name)), as_bytes(task.bytes(name)));
    const TensorChange& tensor = find(found.tasks[0], name);
    CHECK(same_sums(tensor.difference, expected));
    CHECK(tensor.how == TensorChange::How::changed);
    CHECK(tensor.bytes > 0);
    total += expected;
  }
  CHECK(same_sums(found.tasks[0].total, total));
}

TEST_CASE("Two tasks compare as their differences do as vectors, whatever the threads") {
  for (const DType dtype : kFloats) {
    for (const auto& [every_a, every_b] : {std::pair<std::size_t, std::size_t>{1, 1}, {3, 5}, {1, 4000}, {900, 1100}}) {
      // Longer than one step, and than one piece where that is small enough to be tested.
      const TestTensor start = floats("w", {700, 1000}, 3, dtype);
      const TestTensor a = touched(start, 0, every_a, 5), b = touched(start, 0, every_b, 6);
      const MemorySource base({start, tensor("other", {10}, 1)}), task_a({a, tensor("other", {10}, 1)}), task_b({b, tensor("other", {10}, 2)});
      Tasks tasks(base);
      tasks.add(task_a);
      tasks.add(task_b);
      const TaskComparison found = tasks.compare(1);
      REQUIRE(found.pairs.size() == 1);
      const TaskPair& pair = found.pairs[0];

      const std::vector<double> x = doubles(start), y = doubles(a), z = doubles(b);
      std::uint64_t shared = 0, either = 0, opposite = 0;
      double dot = 0, energy = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double d = y[i] - x[i], e = z[i] - x[i];
        shared += d != 0 && e != 0;
        either += d != 0 || e != 0;
        dot += d * e;
        if (d * e >= 0) continue;
        ++opposite;
        energy += d * d + e * e;
      }
      CHECK(pair.shared == shared);
      CHECK(pair.either == either + found.tasks[1].tensors[0].difference.changed);  // "other": of b alone
      CHECK(pair.comparable == shared);
      CHECK(pair.opposite == opposite);
      CHECK(pair.dot == Approx(dot));
      CHECK(pair.opposite_energy == Approx(energy));
      CHECK(pair.jaccard() == Approx(static_cast<double>(pair.shared) / static_cast<double>(pair.either)));
      CHECK(pair.cosine() <= 1.0000001);

      const TaskComparison again = tasks.compare(3);
      CHECK(again.pairs[0].dot == pair.dot);
      CHECK(again.pairs[0].opposite_energy == pair.opposite_energy);
      CHECK(same_sums(again.tasks[0].total, found.tasks[0].total));
    }
  }
}

TEST_CASE("A task beside itself: overlap and cosine 1, no conflict") {
  const TestTensor start = floats("w", {50, 40}, 3);
  const MemorySource base({start}), task({touched(start, 1, 7, 9)});
  Tasks tasks(base);
  tasks.add(task);
  tasks.add(task);
  const TaskPair pair = tasks.compare().pairs.at(0);
  CHECK(pair.jaccard() == 1);
  CHECK(pair.cosine() == Approx(1));
  CHECK(pair.opposite == 0);
  CHECK(pair.conflict_energy() == 0);
}

TEST_CASE("Changes from and to values that are no numbers are counted, and are in no sum") {
  TestTensor start{"w", DType::f32, {4}, std::string(16, '\0')};
  TestTensor a = start, b = start;
  const float infinity = INFINITY, one = 1;
  std::memcpy(a.bytes.data(), &infinity, 4);
  std::memcpy(a.bytes.data() + 4, &one, 4);
  std::memcpy(b.bytes.data(), &one, 4);
  const MemorySource base({start}), task_a({a}), task_b({b});
  Tasks tasks(base);
  tasks.add(task_a);
  tasks.add(task_b);
  const TaskComparison found = tasks.compare();
  CHECK(found.tasks[0].total.changed == 2);
  CHECK(found.tasks[0].total.non_finite == 1);
  CHECK(found.tasks[0].total.l1 == 1);
  CHECK(found.pairs[0].shared == 1);
  CHECK(found.pairs[0].comparable == 0);
  CHECK(found.pairs[0].cosine() == 0);
  CHECK(found.pairs[0].conflict_rate() == 0);
}

TEST_CASE("Longer, cast and low-rank tensors are compared with what the base has of them") {
  const TestTensor grown = floats("grown", {30, 20}, 1), wide = floats("wide", {40, 30}, 2), plain = floats("plain", {64, 48}, 3);
  const TestTensor b = floats("b", {64, 2}, 4), a = floats("a", {2, 48}, 5);
  const MemorySource factors({a, b});
  TestTensor folded = plain;
  std::vector<double> values = doubles(plain);
  const std::vector<double> left = doubles(b), right = doubles(a);
  for (std::size_t i = 0; i < 64; ++i) {
    for (std::size_t j = 0; j < 48; ++j) values[i * 48 + j] += left[2 * i] * right[j] + left[2 * i + 1] * right[48 + j];
  }
  write_doubles(DType::f32, values, std::as_writable_bytes(std::span(folded.bytes)));
  const TestTensor more = touched(with_rows(grown, 33, 9), 0, 50, 4), narrow = touched(cast(wide, DType::bf16), 0, 100, 5);
  const MemorySource base({grown, wide, plain}), task({more, narrow, folded, floats("head", {3, 5}, 8)});
  Tasks tasks(base);
  tasks.add(task, {{"plain", {&factors, *factors.find("b"), *factors.find("a"), 1.0f, ErrorCode::corrupt}}});
  const TaskChanges found = tasks.compare().tasks.at(0);

  CHECK(find(found, "grown").new_units == 60);
  CHECK(same_sums(find(found, "grown").difference,
                  difference_stats(DType::f32, as_bytes(grown.bytes), ByteSpan(as_bytes(more.bytes)).first(grown.bytes.size()))));
  CHECK(same_sums(find(found, "wide").difference, difference_stats(DType::bf16, as_bytes(cast(wide, DType::bf16).bytes), as_bytes(narrow.bytes))));
  CHECK(find(found, "wide").base->dtype == DType::f32);
  CHECK(find(found, "plain").rank == 2);
  CHECK(same_sums(find(found, "plain").difference, difference_stats(DType::f32, as_bytes(plain.bytes), as_bytes(folded.bytes))));
  CHECK(find(found, "head").how == TensorChange::How::added);
  CHECK(find(found, "head").new_units == 15);
  CHECK(find(found, "head").difference.units == 0);
}

TEST_CASE("Tasks on different bases are counted, and not compared") {
  const TestTensor start = floats("w", {50, 40}, 3), other = floats("w", {50, 40}, 4);
  const MemorySource base({start}), elsewhere({other}), task({touched(start, 1, 7, 9)}), task_elsewhere({touched(other, 1, 7, 9)});
  Tasks tasks(base);
  tasks.add(task);
  tasks.weights = StoredWeights::load(tasks.repository.store(), tasks.add_weights(elsewhere));
  tasks.add(task_elsewhere);
  const TaskComparison found = tasks.compare();
  CHECK(found.pairs.empty());
  CHECK(found.tasks[0].total.changed > 0);
  CHECK(found.tasks[1].total.changed > 0);
}

}  // namespace dstore::test
