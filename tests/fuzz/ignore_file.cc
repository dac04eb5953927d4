// Rules, a zero byte, a path.
#include "tensor/ignore_file.h"

#include "fuzz.h"

void dstore::fuzz::test_input(ByteSpan input) {
  const std::string_view text = as_text(input);
  const std::size_t end = std::min(text.find('\0'), text.size());
  accepted({ErrorCode::invalid_argument}, [&] {
    const IgnoreFile rules(text.substr(0, end), "input");
    const std::string_view path = text.substr(std::min(end + 1, text.size()));
    rules.ignores(path, false);
    rules.ignores(path, true);
  });
}
