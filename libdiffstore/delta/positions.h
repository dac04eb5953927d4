#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "delta/block_scan.h"
#include "delta/element.h"
#include "delta/profile.h"

namespace dstore {

struct BlockPlace;

/// Units [begin, end) of a block.
struct UnitRun {
  std::uint32_t begin;
  std::uint32_t end;
  friend bool operator==(const UnitRun&, const UnitRun&) = default;
};

/// Which units of a block are coded: all, whole runs, or a list. Reused from block to block.
struct Covered {
  enum class Form : std::uint8_t { all, runs, list };
  Form form = Form::all;
  std::size_t count = 0;
  std::vector<UnitRun> runs;              ///< increasing, not empty, not adjacent
  std::vector<std::uint32_t> positions;   ///< increasing; the first `count` count
};

/// How the positions inside the selected groups are written. Stored in blocks, never reused.
enum class Within : std::uint8_t { all = 1, rice = 2, bitmap = 3, coded_bitmap = 4, short_list = 5 };

/// The position fields of a block header (spec/segment.md, "Positions").
struct PositionCode {
  Within within = Within::all;
  std::uint8_t rice = 0;         ///< remainder bits, with Within::rice
  std::uint8_t group_log2 = 0;   ///< 0: the whole block is selected; else groups of 2^group_log2 units are
  bool coded_groups = false;     ///< their bitmap is byte-coded
  std::uint64_t bytes = 0;       ///< written size; not stored
};

/// Whether `within` is a code of the table and `rice` fits it.
bool is_known(const PositionCode& code);

/// The smallest code for exactly the changed units, of those that the profile allows.
PositionCode choose_positions(const BlockScan& scan, Profile profile);
/// The code that covers every unit of the groups with a change.
PositionCode choose_groups(const BlockScan& scan, Profile profile);

void write_positions(const BlockScan& scan, const PositionCode& code, Bytes& out);
/// The units that write_positions() covers.
void cover(const BlockScan& scan, const PositionCode& code, Covered& covered);

/// Fills `covered` from the start of `payload` for a block of `units` units of which `changed` differ; returns the bytes used.
std::size_t read_positions(ByteSpan payload, const PositionCode& code, std::uint32_t units, std::uint32_t changed,
                           Covered& covered, const BlockPlace& place);

}  // namespace dstore
