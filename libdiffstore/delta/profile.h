#pragma once

#include <cstdint>
#include <string_view>

namespace dstore {

/// What an encoder is to spare: bytes (compact) or the time to decode them (fast). Readers take both.
enum class Profile : std::uint8_t { compact, fast };

/// What a user typed for --profile. Error{invalid_argument} lists the names.
Profile parse_profile(std::string_view name);

}  // namespace dstore
