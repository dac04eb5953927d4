#include "base/scratch.h"
#include "catch.h"
#include "object/samples.h"

namespace dstore::test {
namespace {

/// Refused as damaged or unknown, or read as other values whose only form these bytes are.
bool is_handled(const Sample& sample, const Bytes& bytes) {
  try {
    return sample.round_trip(bytes) == bytes;
  } catch (const Error& error) {
    return error.code() == ErrorCode::corrupt || error.code() == ErrorCode::unsupported;
  }
}

TEST_CASE("objects cut short at any place are refused") {
  for (const Sample& sample : samples()) {
    for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
      const Bytes cut(sample.bytes.begin(), sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const auto code = error_of([&] { sample.round_trip(cut); });
      if (code != ErrorCode::corrupt && code != ErrorCode::unsupported) FAIL(sample.name << " accepted with " << size << " bytes");
    }
  }
}

TEST_CASE("bytes after an object are refused") {
  for (const Sample& sample : samples()) {
    for (const int extra : {0, 1, 0x0a, 0x20, 0x7d}) {
      Bytes longer = sample.bytes;
      longer.push_back(static_cast<std::byte>(extra));
      CHECK(error_of([&] { sample.round_trip(longer); }) == ErrorCode::corrupt);
    }
  }
}

TEST_CASE("a changed byte is refused or gives another object with exactly these bytes") {
  for (const Sample& sample : samples()) {
    for (std::size_t i = 0; i < sample.bytes.size(); ++i) {
      for (const int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255, 3, 0x5a}) {
        Bytes changed = sample.bytes;
        changed[i] ^= static_cast<std::byte>(mask);
        if (!is_handled(sample, changed)) FAIL(sample.name << ": byte " << i << " xor " << mask << " has a second form");
      }
    }
  }
}

TEST_CASE("any four bytes as a count, offset or size are handled") {
  for (const Sample& sample : samples()) {
    for (std::size_t i = 0; i + 4 <= sample.bytes.size(); ++i) {
      for (const std::uint32_t value : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        Bytes changed = sample.bytes;
        std::memcpy(changed.data() + i, &value, 4);
        if (!is_handled(sample, changed)) FAIL(sample.name << ": bytes from " << i << " as " << value);
      }
    }
  }
}

}  // namespace
}  // namespace dstore::test
