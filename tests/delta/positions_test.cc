#include "delta/positions.h"

#include <functional>
#include <map>

#include "catch.h"
#include "delta/block.h"
#include "delta/layout.h"
#include "dstore/error.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;
using namespace dstore::segment_layout;

namespace {

/// A block of `units` of which those changed that `is_changed` takes.
struct Map {
  std::vector<std::uint64_t> words;
  std::vector<std::uint32_t> positions;
  BlockScan scan;
  Map(std::uint32_t units, const std::function<bool(std::uint32_t)>& is_changed) : words((units + 63) / 64) {
    for (std::uint32_t i = 0; i < units; ++i) {
      if (!is_changed(i)) continue;
      words[i / 64] |= std::uint64_t{1} << i % 64;
      positions.push_back(i);
    }
    scan.reset(words, units);
  }
};

std::vector<std::uint32_t> listed(const Covered& covered) {
  std::vector<std::uint32_t> out;
  if (covered.form == Covered::Form::list) {
    out.assign(covered.positions.begin(), covered.positions.begin() + static_cast<std::ptrdiff_t>(covered.count));
  } else if (covered.form == Covered::Form::all) {
    for (std::uint32_t i = 0; i < covered.count; ++i) out.push_back(i);
  } else {
    for (const UnitRun& run : covered.runs) {
      for (std::uint32_t i = run.begin; i < run.end; ++i) out.push_back(i);
    }
  }
  REQUIRE(out.size() == covered.count);
  return out;
}

/// Writes and reads; returns the bytes.
Bytes check_round_trip(const Map& map, const PositionCode& code) {
  INFO("code " << static_cast<int>(code.within) << " rice " << int{code.rice} << " groups " << int{code.group_log2} << " coded " << code.coded_groups);
  Bytes bytes;
  write_positions(map.scan, code, bytes);
  Covered written, read;
  cover(map.scan, code, written);
  Bytes longer = bytes;
  longer.insert(longer.end(), 5, std::byte{0xa5});  // the values
  REQUIRE(read_positions(longer, code, map.scan.units(), map.scan.changed(), read, {"test", "t", 0, map.scan.units()}) == bytes.size());
  REQUIRE(listed(read) == listed(written));
  if (code.within != Within::all) REQUIRE(listed(read) == map.positions);
  return bytes;
}

std::map<std::string, Map> maps() {
  std::map<std::string, Map> all;
  Random random(4);
  const auto add = [&](const std::string& name, std::uint32_t units, const std::function<bool(std::uint32_t)>& is_changed) {
    all.emplace(name, Map(units, is_changed));
  };
  add("one unit", 1, [](std::uint32_t) { return true; });
  add("the last unit", 1000, [](std::uint32_t i) { return i == 999; });
  add("all", 777, [](std::uint32_t) { return true; });
  add("all but one", 777, [](std::uint32_t i) { return i != 5; });
  add("rare", 200000, [&](std::uint32_t i) { return i == 7 || random.below(500) == 0; });
  add("a fifth", 400000, [&](std::uint32_t) { return random.below(5) == 0; });
  add("half", 70001, [&](std::uint32_t) { return random.below(2) == 0; });
  add("rows", 300000, [&](std::uint32_t i) { return i / 384 % 50 == 3; });
  add("rare in rows", 300003, [&](std::uint32_t i) { return i / 384 % 40 == 3 && random.below(9) == 0; });
  add("a cluster", 500000, [](std::uint32_t i) { return i > 65500 && i < 65700; });
  return all;
}

}  // namespace

TEST_CASE("The chosen positions have the promised size and come back") {
  for (const auto& [name, map] : maps()) {
    INFO(name);
    for (const Profile profile : {Profile::compact, Profile::fast}) {
      for (const PositionCode& code : {choose_positions(map.scan, profile), choose_groups(map.scan, profile)}) {
        CHECK(check_round_trip(map, code).size() == code.bytes);
      }
    }
  }
}

TEST_CASE("Every code, parameter and group size comes back on every map") {
  for (const auto& [name, map] : maps()) {
    INFO(name);
    for (unsigned log2 = kMinGroupLog2 - 1; log2 <= kMaxGroupLog2; ++log2) {
      const auto group = static_cast<std::uint8_t>(log2 < kMinGroupLog2 ? 0 : log2);
      for (const bool coded : {false, true}) {
        if (coded && group == 0) continue;
        // What covers whole groups is written in groups of 2^kDenseGroupLog2 only.
        if (group == kDenseGroupLog2) check_round_trip(map, {Within::all, 0, group, coded, 0});
        for (const unsigned rice : {0u, 1u, 5u, 13u, kMaxRice}) check_round_trip(map, {Within::rice, static_cast<std::uint8_t>(rice), group, coded, 0});
      }
    }
    for (const Within within : {Within::bitmap, Within::coded_bitmap, Within::short_list}) {
      for (const std::uint8_t group : {0, 4, 9}) check_round_trip(map, {within, 0, group, group == 9, 0});
    }
  }
}

TEST_CASE("The compact profile takes the code that suits the map") {
  const auto all = maps();
  const auto chosen = [&](const std::string& name) { return choose_positions(all.at(name).scan, Profile::compact); };
  CHECK(chosen("all").within == Within::all);
  CHECK(chosen("rare").within == Within::rice);
  CHECK(chosen("rare").group_log2 == 0);
  CHECK(chosen("rare in rows").within == Within::rice);
  CHECK(chosen("rare in rows").group_log2 != 0);
  CHECK(chosen("a fifth").within == Within::coded_bitmap);
  CHECK(chosen("half").within == Within::bitmap);
  CHECK(choose_positions(all.at("rare").scan, Profile::fast).within == Within::short_list);
}

TEST_CASE("Cut, longer and damaged positions are refused or increase inside the block") {
  Random random(9);
  for (const auto& [name, map] : maps()) {
    INFO(name);
    const BlockPlace place{"test", "t", 0, map.scan.units()};
    for (const Profile profile : {Profile::compact, Profile::fast}) {
      const PositionCode code = choose_positions(map.scan, profile);
      Bytes bytes;
      write_positions(map.scan, code, bytes);
      Covered covered;
      for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 50) {
        CHECK_THROWS_AS(read_positions(ByteSpan(bytes).first(size), code, map.scan.units(), map.scan.changed(), covered, place), Error);
      }
      for (unsigned round = 0; round < 300 && !bytes.empty(); ++round) {
        Bytes damaged = bytes;
        damaged[random.below(damaged.size())] ^= static_cast<std::byte>(1 + random.below(255));
        try {
          read_positions(damaged, code, map.scan.units(), map.scan.changed(), covered, place);
        } catch (const Error& error) {
          REQUIRE(error.code() == ErrorCode::corrupt);
          continue;
        }
        const std::vector<std::uint32_t> got = listed(covered);
        bool right = true;
        for (std::size_t i = 0; i < got.size(); ++i) right = right && got[i] < map.scan.units() && (i == 0 || got[i] > got[i - 1]);
        REQUIRE(right);
      }
    }
  }
}
