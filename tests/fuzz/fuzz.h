#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore::fuzz {

/// What a target does with one input: any bytes. Each target defines it; entry.cc hands the fuzzer's inputs to it.
/// An Error of the codes that a parser documents is fine. Anything else ends the process: another exception, a signal,
/// a sanitizer's report, a property that does not hold.
void test_input(ByteSpan input);

/// Ends the process, so that a fuzzer keeps the input, unless `holds`.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property that does not hold: %s\n", property);
  std::abort();
}

/// Whether `call` returned; false if it threw an Error of one of these codes.
template <class Call>
bool accepted(std::initializer_list<ErrorCode> codes, const Call& call) {
  try {
    call();
    return true;
  } catch (const Error& error) {
    for (const ErrorCode code : codes) {
      if (error.code() == code) return false;
    }
    std::fprintf(stderr, "unexpected code %d: %s\n", static_cast<int>(error.code()), error.what());
    std::abort();
  }
}

/// For parsers of stored or received bytes.
template <class Call>
bool accepted(const Call& call) {
  return accepted({ErrorCode::corrupt, ErrorCode::unsupported}, call);
}

/// Takes an input apart: numbers first, what is left as bytes. Zeros where it ends early.
class Input {
 public:
  explicit Input(ByteSpan bytes) : rest_(bytes) {}

  std::uint64_t number(unsigned bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes && !rest_.empty(); ++i, rest_ = rest_.subspan(1)) {
      value |= std::to_integer<std::uint64_t>(rest_[0]) << (8 * i);
    }
    return value;
  }
  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  /// A size, of three bytes: those below `most` as they are, so that seeds can name any; others small, so that most inputs are fast.
  std::uint64_t size(std::uint64_t most, std::uint64_t usual = 1 << 12) {
    const std::uint64_t value = number(3);
    return value < most ? value : value % usual;
  }
  /// At most `size` bytes.
  ByteSpan take(std::size_t size) {
    const ByteSpan out = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }
  ByteSpan rest() const { return rest_; }

 private:
  ByteSpan rest_;
};

inline Bytes copy(ByteSpan bytes) { return {bytes.begin(), bytes.end()}; }

inline bool same(ByteSpan a, ByteSpan b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

/// `pattern` (zeros if it is empty) repeated to `size` bytes: large tensors from small inputs.
inline Bytes repeated(ByteSpan pattern, std::size_t size) {
  Bytes out(size);
  for (std::size_t at = 0; at < size && !pattern.empty(); at += pattern.size()) {
    std::copy_n(pattern.begin(), std::min(pattern.size(), size - at), out.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return out;
}

}  // namespace dstore::fuzz
