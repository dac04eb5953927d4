// Applying, undoing and switching sparse tasks on fp32 weights in memory, one core, beside a plain scatter and memcpy; JSON on standard
// output, CPU nanoseconds, one entry a round; bench/apply/run.py prints the table. WEIGHTS PERMILLE ROUNDS
#include <cstdio>
#include <cstring>
#include <random>

#include "base/json.h"
#include "delta/memory_patch.h"
#include "measure.h"

using namespace dstore;
using namespace dstore::bench;

namespace {

struct Task {
  std::vector<std::int32_t> positions;
  std::vector<float> values;
  MemoryPatch patch;
};

Task make_task(const std::vector<float>& base, double density, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> gaussian;
  std::geometric_distribution<std::size_t> gap(density);
  Task task;
  std::vector<float> after = base;
  for (std::size_t at = gap(random); at < base.size(); at += 1 + gap(random)) {
    task.positions.push_back(static_cast<std::int32_t>(at));
    task.values.push_back(base[at] + 3e-4f * gaussian(random));
    after[at] = task.values.back();
  }
  task.patch.add(0, sizeof(float), 0, std::as_bytes(std::span(base)), std::as_bytes(std::span(after)));
  return task;
}

bool holds(const std::vector<float>& buffer, const std::vector<float>& base, const Task* task) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < base.size(); ++i) {
    const bool changed = task != nullptr && next < task->positions.size() && static_cast<std::size_t>(task->positions[next]) == i;
    const float& wanted = changed ? task->values[next++] : base[i];
    if (std::memcmp(&wanted, &buffer[i], sizeof wanted) != 0) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::size_t weights = std::stoull(argv[1]);
  const double density = std::stod(argv[2]) / 1000;
  std::mt19937_64 random(1);
  std::normal_distribution<float> gaussian;
  std::vector<float> base(weights);
  for (float& weight : base) weight = 0.05f * gaussian(random);
  const Task a = make_task(base, density, 2), b = make_task(base, density, 3);
  std::vector<float> buffer = base, copy(weights);
  const std::vector<MutableByteSpan> arrays{std::as_writable_bytes(std::span(buffer))};
  Bytes undo_a(a.patch.values_bytes()), undo_b(b.patch.values_bytes());

  std::vector<std::byte> eviction(64u << 20);
  const auto evict = [&] { std::memset(eviction.data(), static_cast<int>(random() & 0xff), eviction.size()); };
  Rounds rounds;
  bool exact = true;
  for (int round = 0; round < std::stoi(argv[3]); ++round) {
    evict();
    rounds.time("plain scatter", [&] {
      for (std::size_t i = 0; i < a.positions.size(); ++i) buffer[static_cast<std::size_t>(a.positions[i])] = a.values[i];
    });
    for (const std::int32_t at : a.positions) buffer[static_cast<std::size_t>(at)] = base[static_cast<std::size_t>(at)];
    evict();
    rounds.time("apply", [&] { exact = a.patch.apply(arrays, undo_a) && exact; });
    exact = exact && holds(buffer, base, &a);
    evict();
    rounds.time("switch", [&] { exact = MemoryPatch::exchange(a.patch, undo_a, b.patch, undo_b, arrays) && exact; });
    exact = exact && holds(buffer, base, &b);
    evict();
    rounds.time("undo", [&] { exact = b.patch.undo(arrays, undo_b) && exact; });
    exact = exact && holds(buffer, base, nullptr);
    evict();
    rounds.time("memcpy of the model", [&] { std::memcpy(copy.data(), buffer.data(), weights * sizeof(float)); });
  }
  Json result;
  rounds.into(result);
  result.set("changed", Json(static_cast<std::int64_t>(a.patch.changed())));
  result.set("patch_bytes", Json(static_cast<std::int64_t>(a.patch.bytes())));
  result.set("undo_bytes", Json(static_cast<std::int64_t>(a.patch.values_bytes())));
  result.set("exact", Json(exact ? 1 : 0));
  std::printf("%s\n", result.serialize().c_str());
  return exact ? 0 : 1;
}
