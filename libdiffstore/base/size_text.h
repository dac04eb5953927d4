#pragma once

#include <cstdint>
#include <string>

namespace dstore {

/// "90.9 MB": decimal units, three significant digits.
std::string human_size(std::uint64_t bytes);

}  // namespace dstore
