#include <cstring>
#include <random>

#include "commands.h"
#include "delta/encodings.h"
#include "dstore/error.h"
#include "measure.h"

namespace dstore::bench {
namespace {

/// The encoded positions of one block and what they decode to.
struct PositionBlock {
  BlockHeader header;
  BlockScan scan;
  Bytes payload;
};

void decode_rice(const PositionBlock& block, Covered& covered) {
  const Coverage& coverage = *find_coverage(kCoverRice);
  coverage.decode(block.payload, block.header, block.scan.units, covered, {.what = "bench", .tensor = {}});
}

struct PositionDecoder {
  std::string_view name;
  void (*decode)(const PositionBlock& block, Covered& covered);
};
constexpr PositionDecoder kDecoders[] = {
    {"split_rice", decode_rice},
};

std::vector<PositionBlock> random_blocks(std::uint64_t units, double density) {
  constexpr std::uint32_t kBlock = 1u << segment_layout::kMaxBlockLog2;
  std::mt19937_64 random(1);
  std::geometric_distribution<std::uint64_t> gap(density);
  std::vector<PositionBlock> blocks;
  std::uint64_t next = gap(random);
  for (std::uint64_t start = 0; start < units; start += kBlock) {
    PositionBlock block;
    block.scan.units = static_cast<std::uint32_t>(std::min<std::uint64_t>(kBlock, units - start));
    for (; next < start + block.scan.units; next += 1 + gap(random)) block.scan.changed.push_back(static_cast<std::uint32_t>(next - start));
    if (block.scan.changed.empty()) continue;
    block.header.changed = static_cast<std::uint32_t>(block.scan.changed.size());
    find_coverage(kCoverRice)->encode(block.scan, block.header, block.payload);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace

Json run_positions(const Arguments& arguments) {
  const std::vector<PositionBlock> blocks = random_blocks(std::stoull(arguments[0]), std::stod(arguments[1]) / 1000);
  std::int64_t positions = 0;
  std::int64_t bytes = 0;
  for (const PositionBlock& block : blocks) {
    positions += static_cast<std::int64_t>(block.scan.changed.size());
    bytes += static_cast<std::int64_t>(block.payload.size());
  }
  constexpr int kRepeats = 20;  // a block is a matter of microseconds
  Rounds rounds;
  Covered covered;
  std::vector<std::uint32_t> copy(1u << segment_layout::kMaxBlockLog2);
  for (int round = 0; round < std::stoi(arguments[2]); ++round) {
    for (const PositionDecoder& decoder : kDecoders) {
      rounds.time(std::string(decoder.name), [&] {
        for (int repeat = 0; repeat < kRepeats; ++repeat) {
          for (const PositionBlock& block : blocks) decoder.decode(block, covered);
        }
      });
      if (covered.positions != blocks.back().scan.changed) throw Error(ErrorCode::corrupt, "decoded positions are wrong");
    }
    rounds.time("memcpy", [&] {
      for (int repeat = 0; repeat < kRepeats; ++repeat) {
        for (const PositionBlock& block : blocks) {
          std::memcpy(copy.data(), block.scan.changed.data(), block.scan.changed.size() * sizeof(std::uint32_t));
        }
      }
    });
  }
  Json result;
  result.set("positions", Json(positions));
  result.set("bytes", Json(bytes));
  result.set("output_bytes", Json(positions * std::int64_t{sizeof(std::uint32_t)} * kRepeats));
  rounds.into(result);
  return result;
}

}  // namespace dstore::bench
