#include "delta/memory_patch.h"

#include <random>

#include "base/random_bytes.h"
#include "catch.h"

namespace dstore {
namespace {

using test::random_bytes;

/// A copy with about `percent` of the units changed.
Bytes changed(const Bytes& base, unsigned unit, unsigned percent, unsigned seed) {
  std::mt19937 engine(seed);
  Bytes out = base;
  for (std::size_t at = 0; at < out.size(); at += unit) {
    if (engine() % 100 < percent) out[at + engine() % unit] ^= std::byte{1};
  }
  return out;
}

struct Model {
  std::vector<Bytes> arrays;
  std::vector<MutableByteSpan> spans() {
    std::vector<MutableByteSpan> out;
    for (Bytes& array : arrays) out.emplace_back(array);
    return out;
  }
};

struct Scene {
  Model base, task;
  MemoryPatch patch;
  std::uint64_t different = 0;
};

/// Arrays of units of 1, 2, 4 and 8 bytes of several sizes; the first one has more than one block.
Scene scene(unsigned percent, unsigned seed) {
  Scene out;
  const std::size_t units[] = {(1u << 20) + 77, 5000, 1, 4096};
  std::uint32_t array = 0;
  for (const unsigned unit : {1u, 2u, 4u, 8u}) {
    out.base.arrays.push_back(random_bytes(units[array] * unit, seed + unit));
    out.task.arrays.push_back(changed(out.base.arrays.back(), unit, percent, seed));
    const Bytes& before = out.base.arrays.back();
    const Bytes& after = out.task.arrays.back();
    for (std::size_t at = 0; at < before.size(); at += unit) {
      out.different += !std::equal(before.begin() + static_cast<std::ptrdiff_t>(at), before.begin() + static_cast<std::ptrdiff_t>(at + unit), after.begin() + static_cast<std::ptrdiff_t>(at));
    }
    out.patch.add(array++, unit, 0, before, after);
  }
  return out;
}

TEST_CASE("a patch gives the task and takes it back, bit for bit, at every density") {
  for (const unsigned percent : {0u, 1u, 30u, 60u, 100u}) {
    Scene s = scene(percent, percent + 1);
    CHECK(s.patch.changed() == s.different);
    Model model = s.base;
    Bytes undo(s.patch.values_bytes());
    for (int round = 0; round < 2; ++round) {
      REQUIRE(s.patch.apply(model.spans(), undo));
      CHECK(model.arrays == s.task.arrays);
      REQUIRE(s.patch.undo(model.spans(), undo));
      CHECK(model.arrays == s.base.arrays);
    }
  }
}

TEST_CASE("a value that is not the base's leaves everything as it was") {
  for (const unsigned percent : {2u, 90u}) {
    Scene s = scene(percent, 5);
    for (std::size_t array = 0; array < s.base.arrays.size(); ++array) {
      Model wrong = s.base;
      const Bytes& task = s.task.arrays[array];
      const auto [mine, other] = std::mismatch(task.rbegin(), task.rend(), wrong.arrays[array].rbegin());
      if (mine == task.rend()) continue;
      wrong.arrays[array][static_cast<std::size_t>(task.rend() - mine) - 1] ^= std::byte{0x40};
      const Model before = wrong;
      Bytes undo(s.patch.values_bytes());
      CHECK_FALSE(s.patch.apply(wrong.spans(), undo));
      CHECK(wrong.arrays == before.arrays);
    }
  }
}

TEST_CASE("what was changed after a patch is not taken back, and nothing else either") {
  Scene s = scene(5, 9);
  Model model = s.base;
  Bytes undo(s.patch.values_bytes());
  REQUIRE(s.patch.apply(model.spans(), undo));
  for (std::size_t array = 0; array < model.arrays.size(); ++array) {
    const Bytes& base = s.base.arrays[array];
    const auto [mine, other] = std::mismatch(base.rbegin(), base.rend(), model.arrays[array].rbegin());
    if (mine == base.rend()) continue;
    Model wrong = model;
    wrong.arrays[array][static_cast<std::size_t>(base.rend() - mine) - 1] ^= std::byte{0x40};
    const Model before = wrong;
    CHECK_FALSE(s.patch.undo(wrong.spans(), undo));
    CHECK(wrong.arrays == before.arrays);
  }
}

/// Another task on the base of a scene.
Scene sibling(const Scene& first, unsigned percent, unsigned seed) {
  Scene out;
  out.base = first.base;
  std::uint32_t array = 0;
  for (const unsigned unit : {1u, 2u, 4u, 8u}) {
    out.task.arrays.push_back(changed(out.base.arrays[array], unit, percent, seed));
    out.patch.add(array, unit, 0, out.base.arrays[array], out.task.arrays[array]);
    ++array;
  }
  return out;
}

TEST_CASE("one task is exchanged for another in one pass, or nothing changes") {
  for (const auto& [percent, other_percent] : {std::pair{1u, 1u}, {5u, 60u}, {60u, 5u}, {0u, 5u}, {5u, 0u}, {30u, 30u}}) {
    const Scene a = scene(percent, 3), b = sibling(a, other_percent, 11);
    Model model = a.base;
    Bytes undo_a(a.patch.values_bytes()), undo_b(b.patch.values_bytes());
    REQUIRE(a.patch.apply(model.spans(), undo_a));
    REQUIRE(MemoryPatch::exchange(a.patch, undo_a, b.patch, undo_b, model.spans()));
    CHECK(model.arrays == b.task.arrays);
    REQUIRE(MemoryPatch::exchange(b.patch, undo_b, a.patch, undo_a, model.spans()));
    CHECK(model.arrays == a.task.arrays);
    for (std::size_t array = 0; array < model.arrays.size(); ++array) {
      for (const Model* task : {&a.task, &b.task}) {  // a value of either that is not there
        const Bytes &base = a.base.arrays[array], &wanted = task->arrays[array];
        const auto [mine, other] = std::mismatch(wanted.rbegin(), wanted.rend(), base.rbegin());
        if (mine == wanted.rend()) continue;
        Model wrong = model;
        wrong.arrays[array][static_cast<std::size_t>(wanted.rend() - mine) - 1] ^= std::byte{0x40};
        const Model before = wrong;
        CHECK_FALSE(MemoryPatch::exchange(a.patch, undo_a, b.patch, undo_b, wrong.spans()));
        CHECK(wrong.arrays == before.arrays);
      }
    }
    REQUIRE(a.patch.undo(model.spans(), undo_a));
    CHECK(model.arrays == a.base.arrays);
  }
}

}  // namespace
}  // namespace dstore
