#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "catch.h"
#include "dstore/error.h"

namespace dstore::test {

/// Content of a file beside the tests.
inline std::string fixture(const std::string& name) {
  std::ifstream in(std::string(DSTORE_TRAINER_TEXT_FIXTURES) + "/" + name, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The message of the Error that `f` throws; fails unless it is one with that code.
template <typename F>
std::string error_of(ErrorCode code, const F& f) {
  try {
    f();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.what();
  }
  FAIL("no error");
  return {};
}

}  // namespace dstore::test
