#pragma once

#include <random>

#include "base/bytes.h"

namespace dstore::test {

inline Bytes random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 engine(seed);
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(engine());
  return bytes;
}

}  // namespace dstore::test
