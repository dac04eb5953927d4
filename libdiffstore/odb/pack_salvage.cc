#include <algorithm>
#include <cstring>

#include "dstore/error.h"
#include "odb/layout.h"
#include "odb/pack.h"
#include "odb/pack_format.h"

namespace dstore {
namespace {

using namespace layout;

constexpr std::uint64_t kWindow = 1 << 20;

/// The next place from `at` on that holds the magic of a record; `end` if there is none.
std::uint64_t next_magic(File& file, std::uint64_t at, std::uint64_t end) {
  Writer magic;
  magic.u32(kRecordMagic);
  Bytes window;
  while (at + magic.size() <= end) {
    window.resize(std::min(kWindow, end - at));
    window.resize(file.read_at(at, window));
    const auto found = std::search(window.begin(), window.end(), magic.data().begin(), magic.data().end());
    if (found != window.end()) return at + static_cast<std::uint64_t>(found - window.begin());
    if (window.size() < kWindow) break;
    at += kWindow - magic.size() + 1;  // a magic may lie across two windows
  }
  return end;
}

}  // namespace

std::vector<PackEntry> salvage_records(File& file) {
  const std::uint64_t size = std::min(file.info().size, kMaxPackSize);
  std::vector<PackEntry> entries;
  Bytes header(kRecordHeaderSize);
  for (std::uint64_t at = kPackHeaderSize; (at = next_magic(file, at, size)) < size;) {
    std::uint64_t next = at + 1;
    if (file.read_at(at, header) == header.size()) {
      try {
        const PackEntry entry = parse_record_header(header, at, file.path());
        read_object(file, entry);
        entries.push_back(entry);
        next = at + kRecordHeaderSize + entry.stored_size;
      } catch (const Error& error) {
        if (error.code() == ErrorCode::io) throw;  // not a record, or a damaged one: look behind its header
      }
    }
    at = next;
  }
  return entries;
}

}  // namespace dstore
