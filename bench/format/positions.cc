#include "delta/positions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "commands.h"
#include "delta/block.h"
#include "delta/kernels.h"
#include "dstore/error.h"
#include "measure.h"

namespace dstore::bench {
namespace {

constexpr std::uint32_t kBlockUnits = 1u << segment_layout::kMaxBlockLog2;
constexpr int kRepeats = 20;  ///< a block is a matter of microseconds

using Output = std::vector<std::uint32_t>;

/// Changed units of a block, as a list and as the writers' bitmap.
struct Block {
  std::uint32_t units = 0;
  std::vector<std::uint32_t> changed;
  std::vector<std::uint64_t> words;

  std::uint32_t count() const { return static_cast<std::uint32_t>(changed.size()); }
};

/// The positions of all blocks in one code, and how one block of it is decoded.
struct Decoder {
  std::string name;
  std::vector<PositionCode> codes;
  std::vector<Bytes> payloads;
  std::function<void(std::size_t block, Output& out)> decode;

  std::int64_t bytes() const {
    std::int64_t total = 0;
    for (const Bytes& payload : payloads) total += static_cast<std::int64_t>(payload.size());
    return total;
  }
};

std::vector<Block> random_blocks(std::uint64_t units, double density) {
  std::mt19937_64 random(1);
  std::geometric_distribution<std::uint64_t> gap(density);
  std::vector<Block> blocks;
  std::uint64_t next = gap(random);
  for (std::uint64_t start = 0; start < units; start += kBlockUnits) {
    Block block{.units = static_cast<std::uint32_t>(std::min<std::uint64_t>(kBlockUnits, units - start)), .changed = {}, .words = {}};
    block.words.resize((block.units + 63) / 64);
    for (; next < start + block.units; next += 1 + gap(random)) {
      const auto at = static_cast<std::uint32_t>(next - start);
      block.changed.push_back(at);
      block.words[at / 64] |= std::uint64_t{1} << at % 64;
    }
    if (!block.changed.empty()) blocks.push_back(std::move(block));
  }
  return blocks;
}

Decoder encoded(std::string name, const std::vector<Block>& blocks, const std::function<PositionCode(const BlockScan&)>& choose) {
  Decoder decoder;
  decoder.name = std::move(name);
  for (const Block& block : blocks) {
    BlockScan scan;
    scan.reset(block.words, block.units);
    decoder.codes.push_back(choose(scan));
    write_positions(scan, decoder.codes.back(), decoder.payloads.emplace_back());
  }
  return decoder;
}

/// What a reader does: whatever the writer of that profile chose, checked.
Decoder profile_decoder(std::string name, Profile profile, const std::vector<Block>& blocks) {
  Decoder decoder = encoded(std::move(name), blocks, [&](const BlockScan& scan) { return choose_positions(scan, profile); });
  decoder.decode = [codes = decoder.codes, payloads = decoder.payloads, &blocks, covered = Covered{}](std::size_t i, Output& out) mutable {
    std::swap(covered.positions, out);
    read_positions(payloads[i], codes[i], blocks[i].units, blocks[i].count(), covered, {"bench", {}, 0, blocks[i].units});
    std::swap(covered.positions, out);
  };
  return decoder;
}

/// The inner loop for split Rice positions alone.
Decoder rice_decoder(const Kernels& kernels, double density, const std::vector<Block>& blocks) {
  const auto rice = static_cast<std::uint8_t>(std::max(0.0, std::floor(std::log2(0.69 / density))));
  Decoder decoder = encoded("rice " + std::string(kernels.name), blocks, [&](const BlockScan&) {
    return PositionCode{.within = Within::rice, .rice = rice};
  });
  decoder.decode = [rice, payloads = decoder.payloads, &blocks, &kernels](std::size_t i, Output& out) {
    const std::uint32_t count = blocks[i].count();
    const std::size_t remainders = (std::size_t{count} * rice + 7) / 8;
    out.resize(std::max<std::size_t>(out.size(), count + 16));
    const ByteSpan payload = payloads[i];
    kernels.rice({payload.first(remainders), rice, payload.subspan(remainders), count, blocks[i].units}, out.data());
  };
  return decoder;
}

void check(const Decoder& decoder, const std::vector<Block>& blocks) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Output out;
    decoder.decode(i, out);
    if (!std::equal(blocks[i].changed.begin(), blocks[i].changed.end(), out.begin())) {
      throw Error(ErrorCode::corrupt, decoder.name + ": decoded positions are wrong");
    }
  }
}

}  // namespace

Json run_positions(const Arguments& arguments) {
  const double density = std::stod(arguments[1]) / 1000;
  const std::vector<Block> blocks = random_blocks(std::stoull(arguments[0]), density);
  std::vector<Decoder> decoders{profile_decoder("compact", Profile::compact, blocks), profile_decoder("fast", Profile::fast, blocks)};
  for (const Kernels* kernels : all_kernels()) {
    if (kernels->runs_here()) decoders.push_back(rice_decoder(*kernels, density, blocks));
  }
  std::int64_t positions = 0;
  for (const Block& block : blocks) positions += block.count();

  Rounds rounds;
  Output copy(kBlockUnits);
  Output out(kBlockUnits + 16);
  const auto each_block = [&](const auto& body) {
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      for (std::size_t i = 0; i < blocks.size(); ++i) body(i);
    }
  };
  for (const Decoder& decoder : decoders) check(decoder, blocks);
  for (int round = 0; round < std::stoi(arguments[2]); ++round) {
    rounds.time("memcpy", [&] {
      each_block([&](std::size_t i) { std::memcpy(copy.data(), blocks[i].changed.data(), blocks[i].count() * sizeof(std::uint32_t)); });
    });
    for (const Decoder& decoder : decoders) rounds.time(decoder.name, [&] { each_block([&](std::size_t i) { decoder.decode(i, out); }); });
  }
  Json times, bytes, result;
  rounds.into(times);
  for (const Decoder& decoder : decoders) bytes.set(decoder.name, Json(decoder.bytes()));
  result.set("times", times);
  result.set("bytes", bytes);
  result.set("positions", Json(positions));
  result.set("output_bytes", Json(positions * std::int64_t{sizeof(std::uint32_t)} * kRepeats));
  return result;
}

}  // namespace dstore::bench
