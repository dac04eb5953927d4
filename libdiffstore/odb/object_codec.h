#pragma once

#include <optional>

#include "base/bytes.h"

namespace dstore {

/// How a record's bytes are stored (spec/pack.md, "Codecs"). Not part of an object's id. Never reused.
enum class Codec : std::uint8_t { none = 0, lz4 = 1 };

std::optional<Codec> codec_from_code(std::uint8_t code);

/// The bytes to store for an object; `bytes` is empty where codec is none (store the raw bytes themselves).
struct EncodedObject {
  Codec codec = Codec::none;
  Bytes bytes;
};

/// LZ4 if it saves at least 5 %, checked by decompressing; else none. Segments are at entropy and never tried.
EncodedObject encode_object(ObjectKind kind, ByteSpan raw);

/// Decodes into exactly raw.size() bytes; Error{corrupt} naming `what` if the stored bytes give anything else.
void decode_object(Codec codec, ByteSpan stored, MutableByteSpan raw, std::string_view what);

/// xxh3-64, the checksum of stored bytes.
std::uint64_t stored_checksum(ByteSpan stored);

}  // namespace dstore
