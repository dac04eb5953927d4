#include "base/json.h"

#include "fuzz.h"

void dstore::fuzz::test_input(ByteSpan input) {
  const std::string_view text = as_text(input);
  accepted({ErrorCode::corrupt}, [&] { require(Json::parse(text, "input").serialize() == text, "what is read is the only form"); });
}
