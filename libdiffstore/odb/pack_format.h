#pragma once

#include <optional>
#include <string>

#include "odb/pack.h"

/// The fields of a pack, shared by its writer and its readers (spec/pack.md).
namespace dstore {

/// The rule of spec/pack.md, "Limits" that an entry breaks; nullopt if none.
std::optional<std::string> entry_problem(const PackEntry& entry);

/// The 64 bytes before a record's stored bytes.
Bytes record_header(const PackEntry& entry);
/// Parses a record header found at `offset`. Error{corrupt}.
PackEntry parse_record_header(ByteSpan header, std::uint64_t offset, const std::string& path);

void write_trailer_entry(const PackEntry& entry, Writer& out);

/// True if trailer and every record are as the name says. False also if the file cannot be read.
bool is_whole_pack(Filesystem& fs, const std::string& path, const ObjectId& name);

}  // namespace dstore
