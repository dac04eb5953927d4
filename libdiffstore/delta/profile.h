#pragma once

#include <cstdint>

namespace dstore {

/// What an encoder is to spare: bytes (compact) or the time to decode them (fast). Readers take both.
enum class Profile : std::uint8_t { compact, fast };

}  // namespace dstore
