#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/bytes.h"

namespace dstore::test {

/// A file of spec/vectors.
Bytes read_vector(const std::string& name);

/// What reading a row of spec/vectors/manifest.json gives: the row itself, with the values that were found in place of those that it
/// tells. Throws what the library throws.
nlohmann::json read_row(nlohmann::json row);

}  // namespace dstore::test
