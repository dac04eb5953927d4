// A pack. Its trailer's digest and its records' checksums are made to fit first, so that damage reaches what is behind them.
#include "odb/pack.h"

#include "base/sha256.h"
#include "delta/bits.h"
#include "fuzz.h"
#include "memory_file.h"
#include "odb/layout.h"
#include "odb/pack_format.h"

namespace dstore::fuzz {
namespace {

/// The checksum field is the last of a record's header, and of a row of the trailer.
void seal_records(Bytes& pack, std::span<const PackEntry> entries, std::uint64_t trailer) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const PackEntry& entry = entries[i];
    const std::uint64_t stored = entry.offset + layout::kRecordHeaderSize;
    const std::uint64_t checksum = stored_checksum(ByteSpan(pack).subspan(stored, entry.stored_size));
    store_le(&pack[stored - 8], checksum);
    const std::uint64_t row = trailer + layout::kTrailerHeaderSize + i * layout::kTrailerEntrySize;
    if (row + layout::kTrailerEntrySize <= pack.size()) store_le(&pack[row + layout::kTrailerEntrySize - 8], checksum);
  }
}

/// The pack's name after that.
ObjectId seal(Bytes& pack) {
  if (pack.size() < layout::kTrailerTailSize) return {};
  const std::uint64_t trailer = load_le<std::uint64_t>(&pack[pack.size() - layout::kTrailerTailSize]);
  if (trailer > pack.size() - layout::kTrailerTailSize) return {};
  MemoryFile file(pack);
  seal_records(pack, scan_records(file), trailer);
  const ObjectId name = sha256(ByteSpan(pack).subspan(trailer, pack.size() - trailer - ObjectId::kSize));
  std::copy(name.bytes().begin(), name.bytes().end(), pack.end() - ObjectId::kSize);
  return name;
}

void read_all(File& file, std::span<const PackEntry> entries) {
  for (const PackEntry& entry : entries) {
    accepted({ErrorCode::corrupt}, [&] { require(object_id(entry.kind, read_object(file, entry)) == entry.id, "an object has its id"); });
  }
}

}  // namespace

void test_input(ByteSpan input) {
  Bytes pack = copy(input);
  const ObjectId name = seal(pack);
  MemoryFile file(std::move(pack));
  read_all(file, scan_records(file));
  accepted([&] {
    const std::vector<PackEntry> entries = read_trailer(file, name);
    require(!entries.empty(), "a pack has a record");
    read_all(file, entries);
  });
}

}  // namespace dstore::fuzz
