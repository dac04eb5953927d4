// Every row of kernels against the definitions of spec/segment.md, written out one unit at a time.
#include "delta/kernels.h"

#include <xxhash.h>

#include <bit>

#include "catch.h"
#include "delta/bits.h"
#include "delta/context_model.h"
#include "delta/residual.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;
using namespace dstore::segment_layout;

namespace {

std::vector<const Kernels*> rows() {
  std::vector<const Kernels*> found;
  for (const Kernels* row : all_kernels()) {
    if (row->runs_here()) found.push_back(row);
  }
  return found;
}

template <class Body>
void for_each_pair(Body body) {
  std::uint64_t seed = 1;
  for (DType dtype : all_dtypes()) {
    for (std::uint64_t units : {1u, 7u, 513u, 5000u}) {
      for (Change change : kChanges) {
        INFO("dtype " << static_cast<int>(dtype) << " units " << units << " change " << static_cast<int>(change));
        body(make_pair(dtype, units, 0.7, change, ++seed));
      }
    }
  }
}

std::uint64_t unit_at(ByteSpan bytes, std::size_t index, unsigned width) {
  std::uint64_t value = 0;
  for (unsigned b = 0; b < width; ++b) value |= std::to_integer<std::uint64_t>(bytes[index * width + b]) << (8 * b);
  return value;
}

/// A model of the pair's own tokens.
ContextModel model_of(const TensorPair& pair) {
  const UnitType& unit = unit_type(pair.dtype);
  const std::size_t count = pair.base.size() / unit.bytes;
  std::vector<std::uint32_t> cells(count);
  Bytes residuals(pair.base.size());
  kPlainKernels.cells(unit, pair.base.data(), pair.task.data(), count, cells.data(), residuals.data());
  TokenHistogram histogram = empty_histogram(unit);
  for (std::uint32_t cell : cells) ++histogram[cell];
  return ContextModel(histogram);
}

/// Split Rice as the spec says it, bit by bit.
struct RiceBytes {
  Bytes remainders, quotients;
};
RiceBytes rice_bytes(const std::vector<std::uint32_t>& positions, unsigned rice) {
  RiceBytes out;
  BitWriter remainders(out.remainders), quotients(out.quotients);
  std::uint32_t next = 0;
  for (std::uint32_t position : positions) {
    const std::uint32_t gap = position - next;
    remainders.put(gap & ((1u << rice) - 1), rice);
    quotients.put_zeros(gap >> rice);
    quotients.put(1, 1);
    next = position + 1;
  }
  remainders.finish();
  quotients.finish();
  return out;
}

}  // namespace

TEST_CASE("Cells and residuals are those of the definition") {
  for_each_pair([](const TensorPair& pair) {
    const UnitType& unit = unit_type(pair.dtype);
    const std::size_t count = pair.base.size() / unit.bytes;
    for (const Kernels* row : rows()) {
      INFO(row->name);
      std::vector<std::uint32_t> cells(count);
      Bytes residuals(pair.base.size());
      std::uint64_t all = 0;
      bool right = true;
      const std::uint64_t got = row->cells(unit, pair.base.data(), pair.task.data(), count, cells.data(), residuals.data());
      with_unit(unit.bytes, [&]<class U>(U) {
        const ResidualMap<U> map(unit);
        for (std::size_t i = 0; i < count; ++i) {
          const U old_value = static_cast<U>(unit_at(pair.base, i, unit.bytes));
          const U residual = map.residual(old_value, static_cast<U>(unit_at(pair.task, i, unit.bytes)));
          all |= residual;
          right = right && unit_at(residuals, i, unit.bytes) == residual && cells[i] == map.exponent(old_value) * kTokens + token_of(residual);
        }
      });
      REQUIRE(right);
      REQUIRE(got == all);
      REQUIRE(row->apply(unit, pair.base.data(), residuals.data(), count) == count_changed(pair.dtype, pair.base, pair.task));
      REQUIRE(residuals == pair.task);
    }
  });
}

TEST_CASE("Compare marks exactly the units that differ") {
  std::uint64_t seed = 50;
  for (DType dtype : all_dtypes()) {
    for (std::uint64_t units : {1u, 63u, 64u, 65u, 1000u}) {
      for (double density : {0.0, 0.03, 0.5, 1.0}) {
        const TensorPair pair = make_pair(dtype, units, density, Change::ulps, ++seed);
        const unsigned width = unit_type(dtype).bytes;
        for (const Kernels* row : rows()) {
          INFO(row->name << " dtype " << static_cast<int>(dtype) << " units " << units << " density " << density);
          std::vector<std::uint64_t> words((units + 63) / 64, ~std::uint64_t{0});
          std::uint64_t changed = 0;
          bool right = true;
          const std::uint64_t got = row->compare(unit_type(dtype), pair.base.data(), pair.task.data(), units, words.data());
          for (std::uint64_t i = 0; i < 64 * words.size(); ++i) {
            const bool differs = i < units && unit_at(pair.base, i, width) != unit_at(pair.task, i, width);
            changed += differs;
            right = right && (words[i / 64] >> i % 64 & 1) == static_cast<std::uint64_t>(differs);
          }
          REQUIRE(right);
          REQUIRE(got == changed);
          Bytes residuals(pair.base.size()), same(pair.base.size());
          std::vector<std::uint32_t> cells(units);
          row->residuals(unit_type(dtype), pair.base.data(), pair.task.data(), units, residuals.data());
          row->cells(unit_type(dtype), pair.base.data(), pair.task.data(), units, cells.data(), same.data());
          REQUIRE(residuals == same);
        }
      }
    }
  }
}

TEST_CASE("Set bits are counted and listed") {
  Random random(3);
  for (const Kernels* row : rows()) {
    for (const double density : {0.0, 0.01, 0.1, 0.5, 1.0}) {
      std::vector<std::uint64_t> words(300);
      std::vector<std::uint32_t> wanted;
      for (std::uint32_t i = 0; i < 64 * words.size(); ++i) {
        if (random.uniform() >= density) continue;
        words[i / 64] |= std::uint64_t{1} << i % 64;
        wanted.push_back(i);
      }
      std::vector<std::uint32_t> found(wanted.size() + 8);
      INFO(row->name << " density " << density);
      CHECK(row->count_ones(words.data(), words.size()) == wanted.size());
      REQUIRE(row->list_ones(words.data(), words.size(), found.data()) == wanted.size());
      found.resize(wanted.size());
      CHECK(found == wanted);
    }
  }
}

TEST_CASE("Every row writes the same streams, and reads them back") {
  for_each_pair([](const TensorPair& pair) {
    const UnitType& unit = unit_type(pair.dtype);
    const std::size_t count = pair.base.size() / unit.bytes;
    const ContextModel model = model_of(pair);
    const ModelEncoder encoder(model, unit);
    const ModelDecoder decoder(model, unit);
    Bytes first;
    for (const Kernels* row : rows()) {
      INFO(row->name);
      Bytes out(count * (kMaxCodeBits + 8 * unit.bytes) / 8 + 32);
      out.resize(static_cast<std::size_t>(row->encode(unit, encoder.codes(), pair.base.data(), pair.task.data(), count, out.data()) - out.data()));
      if (first.empty()) first = out;
      REQUIRE(out == first);
      Bytes values(pair.base.size());
      const StreamPart part{out, 0, count};
      REQUIRE(row->decode(unit, decoder.tables(), {&part, 1}, pair.base.data(), values.data()));
      row->apply(unit, pair.base.data(), values.data(), count);
      REQUIRE(values == pair.task);
      Bytes longer = out;
      longer.push_back(std::byte{0});
      const StreamPart too_long{longer, 0, count};
      REQUIRE_FALSE(row->decode(unit, decoder.tables(), {&too_long, 1}, pair.base.data(), values.data()));
      if (out.empty()) return;
      const StreamPart cut{ByteSpan(out).first(out.size() - 1), 0, count};
      REQUIRE_FALSE(row->decode(unit, decoder.tables(), {&cut, 1}, pair.base.data(), values.data()));
    }
  });
}

TEST_CASE("Every row has the checksum that is stored") {
  Random random(7);
  Bytes bytes(5000);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random.next());
  for (std::size_t size : {0u, 1u, 3u, 4u, 8u, 9u, 16u, 17u, 128u, 129u, 240u, 241u, 1024u, 1025u, 5000u}) {
    const ByteSpan part = ByteSpan(bytes).first(size);
    for (const Kernels* row : rows()) {
      INFO(row->name << ", " << size << " bytes");
      REQUIRE(row->checksum(part) == XXH3_64bits(part.data(), part.size()));
    }
  }
}

TEST_CASE("Planes are split and merged") {
  for (unsigned width : {1u, 2u, 4u, 8u}) {
    for (std::size_t count : {1u, 31u, 1000u}) {
      Random random(width * count);
      Bytes units(width * count);
      for (std::byte& b : units) b = static_cast<std::byte>(random.next());
      for (const Kernels* row : rows()) {
        Bytes planes(units.size()), back(units.size());
        row->split(width, units.data(), count, planes.data());
        bool right = true;
        for (std::size_t i = 0; i < units.size(); ++i) right = right && planes[i % width * count + i / width] == units[i];
        REQUIRE(right);
        const std::byte* starts[8] = {};
        for (unsigned p = 0; p < width; ++p) starts[p] = planes.data() + p * count;
        row->merge(width, starts, count, back.data());
        REQUIRE(back == units);
      }
    }
  }
}

TEST_CASE("Split Rice positions of every parameter are read back") {
  for (unsigned rice = 0; rice <= kMaxRice; ++rice) {
    for (std::uint32_t count : {1u, 7u, 8u, 9u, 40u, 1000u}) {
      Random random(rice * 1000 + count);
      std::vector<std::uint32_t> positions;
      std::uint32_t next = 0;
      for (std::uint32_t i = 0; i < count; ++i) {
        next += static_cast<std::uint32_t>(random.below(std::max<std::uint64_t>(1, (std::uint64_t{3} << rice) / 2)) % (16000000 / count));
        positions.push_back(next++);
      }
      const RiceBytes bytes = rice_bytes(positions, rice);
      Bytes rest = bytes.quotients;
      rest.insert(rest.end(), 3, std::byte{0xff});  // what follows the positions
      for (const Kernels* row : rows()) {
        INFO(row->name << " rice " << rice << " count " << count);
        std::vector<std::uint32_t> out(count + 16);
        REQUIRE(row->rice({bytes.remainders, rice, rest, count, next}, out.data()) == bytes.quotients.size());
        out.resize(count);
        REQUIRE(out == positions);
        out.resize(count + 16);
        REQUIRE(row->rice({bytes.remainders, rice, rest, count, positions.back()}, out.data()) == 0);  // the last lies outside
        REQUIRE(row->rice({bytes.remainders, rice, ByteSpan(bytes.quotients).first(bytes.quotients.size() - 1), count, next}, out.data()) == 0);
      }
    }
  }
}

TEST_CASE("Damaged Rice streams are refused, or give increasing positions inside the limit; all rows agree") {
  Random random(17);
  for (unsigned round = 0; round < 4000; ++round) {
    const auto rice = static_cast<unsigned>(random.below(kMaxRice + 1));
    const auto count = static_cast<std::uint32_t>(1 + random.below(300));
    RiceStreams streams;
    Bytes remainders((std::uint64_t{count} * rice + 7) / 8), quotients(1 + random.below(3 * count / 4 + 2));
    for (std::byte& b : remainders) b = static_cast<std::byte>(random.next());
    for (std::byte& b : quotients) b = static_cast<std::byte>(random.next() & random.next());
    const auto limit = static_cast<std::uint32_t>(1 + random.below(std::uint64_t{1} << std::min(24u, rice + 9)));
    streams = {remainders, rice, quotients, count, limit};
    std::vector<std::uint32_t> first(count + 16);
    const std::size_t used = kPlainKernels.rice(streams, first.data());
    for (const Kernels* row : rows()) {
      std::vector<std::uint32_t> out(count + 16);
      REQUIRE(row->rice(streams, out.data()) == used);
      if (used == 0) continue;
      REQUIRE(used <= quotients.size());
      bool right = true;
      for (std::uint32_t i = 0; i < count; ++i) right = right && out[i] == first[i] && out[i] < limit && (i == 0 || out[i] > out[i - 1]);
      REQUIRE(right);
    }
  }
}
