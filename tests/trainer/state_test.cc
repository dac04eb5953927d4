// A training saved at any step and read into a new one goes on with the same bits.
#include <algorithm>

#include "catch.h"
#include "dstore/error.h"
#include "tests/trainer/method_cases.h"
#include "tests/trainer/run_by_hand.h"

using namespace dstore;
using namespace dstore::test;

TEST_CASE("a training read from its saved state goes on bit for bit") {
  for (const MethodCase& c : method_cases()) {
    Run whole(*c.method, c.set);
    whole.steps(0, kSteps);
    for (long split = 0; split <= kSteps; ++split) {
      INFO(c.method->name << " saved after step " << split);
      Run first(*c.method, c.set);
      first.steps(0, split);
      const std::vector<std::byte> state = first.saved();
      Run second(*c.method, c.set);
      second.load(state);
      CHECK(second.saved() == state);
      CHECK(second.training().selected() == first.training().selected());
      second.steps(split, kSteps);
      CHECK(second.values() == whole.values());
      CHECK(second.training().facts() == whole.training().facts());
      CHECK(second.saved() == whole.saved());
    }
  }
}

TEST_CASE("the best values travel with the state") {
  for (const MethodCase& c : method_cases()) {
    INFO(c.method->name);
    Run first(*c.method, c.set);
    first.keep_at = 9;
    first.steps(0, 11);
    if (!first.training().presentable()) continue;  // only its end is
    Run second(*c.method, c.set);
    second.load(first.saved());
    const std::vector<float> last = first.values();
    first.training().restore_best();
    second.training().restore_best();
    CHECK(first.values() != last);
    CHECK(second.values() == first.values());
  }
}

TEST_CASE("a state that does not fit is refused") {
  for (const MethodCase& c : method_cases()) {
    INFO(c.method->name);
    Run run(*c.method, c.set);
    run.steps(0, 9);
    const std::vector<std::byte> state = run.saved();
    const auto refused = [&](std::span<const std::byte> bytes) {
      Run fresh(*c.method, c.set);
      try {
        fresh.load(bytes);
      } catch (const Error& error) {
        return error.code() == ErrorCode::corrupt;
      }
      return false;
    };
    for (std::size_t size = 0; size < state.size(); size += state.size() / 40 + 1) CHECK(refused(std::span(state).first(size)));
    std::vector<std::byte> longer = state;
    longer.push_back(std::byte{0});
    CHECK(refused(longer));
    Run other(find_method(c.method->name == "full" ? "head" : "full"));
    other.steps(0, 9);
    CHECK(refused(other.saved()));
  }
}
