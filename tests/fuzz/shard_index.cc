#include "tensor/shard_index.h"

#include "fuzz.h"

void dstore::fuzz::test_input(ByteSpan input) {
  accepted({ErrorCode::corrupt}, [&] {
    for (const auto& [tensor, file] : parse_shard_index(as_text(input), "input")) {
      require(file.ends_with(".safetensors") && file.find('/') == std::string::npos, "a file of an index is a plain name");
    }
  });
}
