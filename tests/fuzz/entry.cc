#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dstore::fuzz::test_input({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
