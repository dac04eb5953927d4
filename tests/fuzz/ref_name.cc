#include "odb/ref_name.h"

#include "base/filesystem.h"
#include "fuzz.h"

void dstore::fuzz::test_input(ByteSpan input) {
  const std::string_view text = as_text(input);
  const bool valid = accepted({ErrorCode::invalid_argument}, [&] {
    const RefName name = RefName::parse(text);
    require(name.text() == text, "a name is kept as it is");
    require(is_safe_relative_path(name.encode()) && name.encode().find('/') == std::string::npos, "an encoded name is one path component");
    require(RefName::decode(name.encode()) == name, "a name survives as a path component");
  });
  require(valid == RefName::is_valid(text), "parse and is_valid agree");
  if (const auto name = RefName::decode(text)) require(name->encode() == text, "only the one encoding is decoded");
}
