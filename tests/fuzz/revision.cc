#include "repo/revision.h"

#include "fuzz.h"

void dstore::fuzz::test_input(ByteSpan input) {
  accepted({ErrorCode::invalid_argument}, [&] {
    const RevisionExpression expression = parse_revision(as_text(input));
    require(!expression.terms.empty(), "an expression has a term");
    for (const auto& term : expression.terms) require(!term.atom.word.empty(), "a term has a word");
  });
}
