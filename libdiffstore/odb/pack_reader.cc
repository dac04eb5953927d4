#include <algorithm>

#include "base/mutant.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "odb/layout.h"
#include "odb/pack.h"
#include "odb/pack_format.h"

namespace dstore {
namespace {

using namespace layout;

constexpr std::uint64_t kSmallestPack = kPackHeaderSize + kRecordHeaderSize + kTrailerHeaderSize + kTrailerEntrySize + kTrailerTailSize;

[[noreturn]] void fail(const std::string& path, std::uint64_t offset, std::string_view message) {
  throw Error(ErrorCode::corrupt, printable(path) + ": " + std::string(message) + " at byte " + std::to_string(offset));
}

void read_exactly(File& file, std::uint64_t offset, MutableByteSpan out) {
  if (file.read_at(offset, out) != out.size()) fail(file.path(), offset, "cut short");
}

/// The pack's version.
std::uint32_t check_file_header(File& file) {
  Bytes bytes(kPackHeaderSize);
  read_exactly(file, 0, bytes);
  Reader reader(bytes, file.path());
  if (reader.text(kPackMagic.size()) != kPackMagic) fail(file.path(), 0, "not a pack");
  const std::uint32_t version = reader.u32();
  if (version == 0 || version > kPackVersion) {
    throw Error(ErrorCode::unsupported, printable(file.path()) + ": pack version " + std::to_string(version) + " is not known; use a newer dstore");
  }
  if (reader.u32() != 0) fail(file.path(), 12, "reserved bytes are not zero");
  return version;
}

PackEntry parse_fields(Reader& reader, std::uint8_t kind_code, std::uint8_t codec_code, PackEntry entry) {
  const auto kind = kind_from_code(kind_code);
  const auto codec = codec_from_code(codec_code);
  if (!kind || !codec) reader.fail("unknown kind or codec");
  entry.kind = *kind;
  entry.codec = *codec;
  if (const auto problem = entry_problem(entry)) reader.fail(*problem);
  return entry;
}

PackEntry parse_trailer_entry(Reader& reader) {
  PackEntry entry;
  entry.id = reader.id();
  const std::uint8_t kind = reader.u8();
  const std::uint8_t codec = reader.u8();
  if (reader.u16() != 0 || reader.u32() != 0) reader.fail("reserved bytes are not zero");
  entry.offset = reader.u64();
  entry.raw_size = reader.u64();
  entry.stored_size = reader.u64();
  entry.checksum = reader.u64();
  return parse_fields(reader, kind, codec, entry);
}

void check_no_id_twice(const std::vector<PackEntry>& entries, const Reader& reader) {
  std::vector<ObjectId> ids;
  ids.reserve(entries.size());
  for (const PackEntry& entry : entries) ids.push_back(entry.id);
  std::sort(ids.begin(), ids.end());
  if (std::adjacent_find(ids.begin(), ids.end()) != ids.end()) reader.fail("an object is listed twice");
}

}  // namespace

std::string pack_file_name(const ObjectId& name) { return name.hex() + ".pack"; }

std::optional<ObjectId> parse_pack_file_name(std::string_view file_name) {
  constexpr std::string_view kSuffix = ".pack";
  if (!file_name.ends_with(kSuffix)) return std::nullopt;
  return ObjectId::from_hex(file_name.substr(0, file_name.size() - kSuffix.size()));
}

std::string describe(const PackEntry& entry, const std::string& path) {
  return std::string(kind_name(entry.kind)) + " " + entry.id.hex() + " in " + printable(path) + " at byte " + std::to_string(entry.offset);
}

std::optional<std::string> entry_problem(const PackEntry& entry) {
  return record_problem(entry.kind, entry.codec, entry.raw_size, entry.stored_size);
}

Bytes record_header(const PackEntry& entry) {
  Writer out;
  out.u32(kRecordMagic);
  out.u8(static_cast<std::uint8_t>(entry.kind));
  out.u8(static_cast<std::uint8_t>(entry.codec));
  out.u16(0);
  out.id(entry.id);
  out.u64(entry.raw_size);
  out.u64(entry.stored_size);
  out.u64(entry.checksum);
  return out.take();
}

PackEntry parse_record_header(ByteSpan header, std::uint64_t offset, const std::string& path) {
  Reader reader(header, printable(path) + ", record at byte " + std::to_string(offset));
  PackEntry entry;
  entry.offset = offset;
  if (reader.u32() != kRecordMagic) reader.fail("not a record");
  const std::uint8_t kind = reader.u8();
  const std::uint8_t codec = reader.u8();
  if (reader.u16() != 0) reader.fail("reserved bytes are not zero");
  entry.id = reader.id();
  entry.raw_size = reader.u64();
  entry.stored_size = reader.u64();
  entry.checksum = reader.u64();
  return parse_fields(reader, kind, codec, entry);
}

void write_trailer_entry(const PackEntry& entry, Writer& out) {
  out.id(entry.id);
  out.u8(static_cast<std::uint8_t>(entry.kind));
  out.u8(static_cast<std::uint8_t>(entry.codec));
  out.u16(0);
  out.u32(0);
  out.u64(entry.offset);
  out.u64(entry.raw_size);
  out.u64(entry.stored_size);
  out.u64(entry.checksum);
}

std::vector<PackEntry> read_trailer(File& file, const ObjectId& name) {
  const std::uint64_t size = file.info().size;
  if (size < kSmallestPack) fail(file.path(), size, "too short for a pack");
  if (size > kMaxPackSize) fail(file.path(), kMaxPackSize, "too large for a pack");
  const std::uint32_t version = check_file_header(file);

  Bytes tail(kTrailerTailSize);
  read_exactly(file, size - kTrailerTailSize, tail);
  const std::uint64_t start = Reader(tail, file.path()).u64();
  const std::uint64_t latest = size - kTrailerTailSize - kTrailerEntrySize - kTrailerHeaderSize;
  if (start < kPackHeaderSize || start > latest || size - start > kTrailerHeaderSize + kMaxPackEntries * kTrailerEntrySize + kTrailerTailSize) {
    fail(file.path(), size - kTrailerTailSize, "the trailer's offset is impossible");
  }
  Bytes trailer(size - start);
  read_exactly(file, start, trailer);
  if (sha256(ByteSpan(trailer).first(trailer.size() - ObjectId::kSize)) != name && !mutant("trailer-digest-unchecked")) {
    fail(file.path(), start, "the trailer's digest is not the pack's name");
  }

  Reader reader(trailer, printable(file.path()) + ", trailer at byte " + std::to_string(start));
  if (reader.u32() != kTrailerMagic || reader.u32() != version) reader.fail("not a trailer");
  const std::uint64_t count = reader.u64();
  if (count != (trailer.size() - kTrailerHeaderSize - kTrailerTailSize) / kTrailerEntrySize) reader.fail("the count does not fit the size");
  std::vector<PackEntry> entries;
  entries.reserve(count);
  std::uint64_t next = kPackHeaderSize;
  std::uint32_t needed = 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    entries.push_back(parse_trailer_entry(reader));
    if (entries.back().offset != next) reader.fail("records are not one after the other");
    needed = std::max(needed, pack_version_of(entries.back().codec));
    next += kRecordHeaderSize + entries.back().stored_size;
    if (next > start) reader.fail("a record reaches into the trailer");
  }
  if (next != start) reader.fail("bytes that belong to no record");
  if (needed != version) reader.fail("the pack's version does not fit its records");
  if (reader.u64() != start || reader.id() != name) reader.fail("the trailer's end contradicts it");
  reader.expect_end();
  check_no_id_twice(entries, reader);
  return entries;
}

std::vector<PackEntry> scan_records(File& file) {
  const std::uint64_t size = std::min(file.info().size, kMaxPackSize);
  std::vector<PackEntry> entries;
  Bytes header(kRecordHeaderSize);
  for (std::uint64_t at = kPackHeaderSize; at + kRecordHeaderSize <= size && entries.size() < kMaxPackEntries;) {
    read_exactly(file, at, header);
    try {
      entries.push_back(parse_record_header(header, at, file.path()));
    } catch (const Error&) {
      break;  // the trailer, or the first damage: framing ends here
    }
    at += kRecordHeaderSize + entries.back().stored_size;
    if (at > size) entries.pop_back();
  }
  return entries;
}

namespace {

/// The header is as `entry` says and the stored bytes lie inside the file.
void check_record(File& file, const PackEntry& entry) {
  const std::uint64_t size = file.info().size;
  const std::uint64_t need = kRecordHeaderSize + std::min(entry.stored_size, kMaxRawSize);
  Bytes header(kRecordHeaderSize);
  if (entry_problem(entry) || size < need || entry.offset > size - need ||
      file.read_at(entry.offset, header) != header.size() || header != record_header(entry)) {
    throw Error(ErrorCode::corrupt, describe(entry, file.path()) + ": the record is damaged or not there; see `dstore fsck`");
  }
}

void read_stored_bytes(File& file, const PackEntry& entry, MutableByteSpan out) {
  if (file.read_at(entry.offset + kRecordHeaderSize, out) != out.size() || stored_checksum(out) != entry.checksum) {
    throw Error(ErrorCode::corrupt, describe(entry, file.path()) + ": the stored bytes are damaged (checksum); see `dstore fsck`");
  }
}

}  // namespace

Bytes read_record(File& file, const PackEntry& entry) {
  check_record(file, entry);
  Bytes stored(entry.stored_size);
  read_stored_bytes(file, entry, stored);
  return stored;
}

void read_object(File& file, const PackEntry& entry, MutableByteSpan out, Proof proof) {
  if (out.size() != entry.raw_size) {
    throw Error(ErrorCode::corrupt, describe(entry, file.path()) + ": has " + std::to_string(entry.raw_size) + " bytes where " +
                                        std::to_string(out.size()) + " were expected");
  }
  if (entry.codec == Codec::none) {
    check_record(file, entry);
    read_stored_bytes(file, entry, out);
  } else {
    decode_object(entry.codec, read_record(file, entry), out, describe(entry, file.path()));
  }
  if (proof == Proof::id && object_id(entry.kind, out) != entry.id && !mutant("object-digest-unchecked")) {
    throw Error(ErrorCode::corrupt, describe(entry, file.path()) + ": the bytes do not have this id; see `dstore fsck`");
  }
}

Bytes read_object(File& file, const PackEntry& entry) {
  check_record(file, entry);
  Bytes raw(entry.raw_size);
  read_object(file, entry, raw);
  return raw;
}

bool is_whole_pack(Filesystem& fs, const std::string& path, const ObjectId& name) {
  try {
    const auto file = fs.open(path, OpenMode::read_store);
    for (const PackEntry& entry : read_trailer(*file, name)) read_object(*file, entry);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace dstore
