#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace dstore::test {

/// One object of the spec's examples and how it is read: the suites run over all of them.
struct Sample {
  std::string name;
  ObjectKind kind;
  Bytes bytes;
  std::string spec_hex;  ///< the bytes as spec/objects.md prints them (without spaces)
  std::string spec_id;
  /// Parses and serialises again.
  std::function<Bytes(ByteSpan)> round_trip;
};

std::vector<Sample> samples();

Bytes from_hex(std::string_view hex);

}  // namespace dstore::test
