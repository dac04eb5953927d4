#pragma once

#include <string>

#include "dstore/error.h"

namespace dstore::test {

/// The message of the dstore::Error that `body` throws; "" if it does not.
template <typename Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace dstore::test
