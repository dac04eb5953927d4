#include "object/evaluation.h"

#include "fuzz.h"

void dstore::fuzz::test_input(ByteSpan input) {
  accepted([&] {
    const Evaluation evaluation = Evaluation::parse(input, "input");
    require(evaluation.serialize() == as_text(input), "what is read is the only form");
    require(!evaluation.commits.empty() && !evaluation.metrics.empty() && evaluation.n > 0, "nothing was measured");
  });
}
