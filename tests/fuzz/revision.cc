#include "repo/revision.h"

#include "fuzz.h"

namespace {

void check(const dstore::RevisionExpression& expression) {
  dstore::fuzz::require(!expression.terms.empty(), "an expression has a term");
  for (const auto& term : expression.terms) {
    dstore::fuzz::require(term.atom.word.empty() == (term.call.size() == 1), "a term is a word or a call");
    for (const auto& call : term.call) {
      for (const auto& argument : call.arguments) check(argument);
    }
  }
}

}  // namespace

void dstore::fuzz::test_input(ByteSpan input) {
  accepted({ErrorCode::invalid_argument}, [&] {
    const RevisionExpression expression = parse_revision(as_text(input));
    check(expression);
    // Written out, "~" becomes "~1": a text near the limit grows beyond it.
    if (input.size() <= 4096) require(parse_revision(expression.pinned()) == expression, "what is written again is parsed to the same");
  });
}
