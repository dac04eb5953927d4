#pragma once

#include <optional>

#include "base/bytes.h"

namespace dstore {

/// RFC 4648, section 4. The buffers never move while they grow, so that a caller who wipes the result wiped all of it.
Bytes base64_encode(ByteSpan bytes, bool padding = true);

/// As base64_encode, cut into lines of 70 columns, each with a newline (the last one too).
Bytes base64_encode_lines(ByteSpan bytes);

/// Strict: full padding, no other characters, unused bits zero; nullopt otherwise. So equal bytes have one text.
std::optional<Bytes> base64_decode(std::string_view text);

/// The text between the lines "-----BEGIN LABEL-----" and "-----END LABEL-----", with line ends inside it ignored. Before
/// and after them only white space may stand. nullopt unless it is that, with correct base64 inside.
std::optional<Bytes> pem_decode(std::string_view text, std::string_view label);

/// Those two lines around `bytes` in base64 lines.
Bytes pem_encode(ByteSpan bytes, std::string_view label);

}  // namespace dstore
