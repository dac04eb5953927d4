#include "object/commit.h"

#include "fuzz.h"

void dstore::fuzz::test_input(ByteSpan input) {
  accepted([&] {
    const Commit commit = Commit::parse(input, "input");
    require(commit.serialize() == as_text(input), "what is read is the only form");
    require(commit.is_task() == commit.base.has_value(), "a task has a base");
    commit.subject();
  });
}
