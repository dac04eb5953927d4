#pragma once

#include <string>
#include <vector>

#include "object/round_trip.h"

namespace dstore::test {

/// One object of the spec's examples and how it is read: the suites run over all of them.
struct Sample {
  std::string name;
  ObjectKind kind;
  Bytes bytes;
  std::string spec_hex;  ///< the bytes as spec/objects.md prints them (without spaces)
  std::string spec_id;

  /// Parses other bytes of that kind and serialises them again.
  Bytes round_trip(ByteSpan other) const { return test::round_trip(kind, other); }
};

std::vector<Sample> samples();

Bytes from_hex(std::string_view hex);

}  // namespace dstore::test
