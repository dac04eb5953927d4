// Every row of kernels against the plain one, on the same input: the first byte says which loops.
#include "delta/kernels.h"

#include <array>

#include "delta/context_model.h"
#include "fuzz.h"
#include "tensor/dtype.h"

namespace dstore::fuzz {
namespace {

using namespace segment_layout;

template <class Check>
void for_each_row(const Check& check) {
  for (const Kernels* row : all_kernels()) {
    if (row != &kPlainKernels && row->runs_here()) check(*row);
  }
}

const UnitType& read_unit(Input& input) {
  return unit_type(*dtype_from_code(static_cast<std::uint8_t>(1 + input.u8() % dtype_table().size())));
}

struct Cells {
  std::vector<std::uint64_t> words;
  std::vector<std::uint32_t> cells;
  Bytes residuals, cell_residuals, values;
  std::uint64_t different = 0, all = 0, applied = 0;
  friend bool operator==(const Cells&, const Cells&) = default;
};

Cells run_cells(const Kernels& row, const UnitType& unit, const Bytes& a, const Bytes& b) {
  const std::size_t count = a.size() / unit.bytes;
  Cells out{std::vector<std::uint64_t>((count + 63) / 64), std::vector<std::uint32_t>(count), Bytes(a.size()), Bytes(a.size()), {}};
  out.different = row.compare(unit, a.data(), b.data(), count, out.words.data());
  row.residuals(unit, a.data(), b.data(), count, out.residuals.data());
  out.all = row.cells(unit, a.data(), b.data(), count, out.cells.data(), out.cell_residuals.data());
  out.values = out.residuals;
  out.applied = row.apply(unit, a.data(), out.values.data(), count);
  return out;
}

/// compare, residuals, cells, apply.
void compare_cells(Input& input) {
  const UnitType& unit = read_unit(input);
  const std::size_t size = input.rest().size() / 2 / unit.bytes * unit.bytes;
  if (size == 0) return;
  const Bytes a = copy(input.take(size)), b = copy(input.take(size));
  const Cells plain = run_cells(kPlainKernels, unit, a, b);
  require(plain.values == b && plain.applied == plain.different && plain.residuals == plain.cell_residuals, "residuals give the values back");
  for_each_row([&](const Kernels& row) { require(run_cells(row, unit, a, b) == plain, "cells of all rows are equal"); });
}

/// decode: 1 or 4 streams under any model. All rows refuse, or all give the same residuals.
void compare_decode(Input& input) {
  const UnitType& unit = read_unit(input);
  const unsigned tables = 1 + input.u8() % kMaxTables;
  const std::size_t streams = input.u8() % 2 == 0 ? 1 : 4;
  const std::size_t count = streams * (1 + input.number(2) % 4096);
  accepted([&] {
    Reader reader(input.rest(), "input");
    const ModelDecoder model(ContextModel(reader, tables, unit), unit);
    const ByteSpan coded = reader.bytes(reader.remaining());
    const Bytes old_values = repeated(coded, count * unit.bytes);
    std::array<StreamPart, 4> parts;
    const std::size_t bytes = coded.size() / streams, units = count / streams;
    for (std::size_t s = 0; s < streams; ++s) parts[s] = {coded.subspan(s * bytes, bytes), s * units, (s + 1) * units};
    const auto run = [&](const Kernels& row) -> std::optional<Bytes> {
      Bytes residuals(old_values.size());
      if (!row.decode(unit, model.tables(), std::span(parts).first(streams), old_values.data(), residuals.data())) return std::nullopt;
      return residuals;
    };
    const auto plain = run(kPlainKernels);
    for_each_row([&](const Kernels& row) { require(run(row) == plain, "all rows decode alike"); });
  });
}

void compare_rice(Input& input) {
  RiceStreams streams;
  streams.rice = input.u8() % (kMaxRice + 1);
  streams.count = static_cast<std::uint32_t>(1 + input.number(2) % 2048);
  streams.limit = static_cast<std::uint32_t>(1 + input.number(3));
  const Bytes remainders = repeated(input.take(64), (std::size_t{streams.count} * streams.rice + 7) / 8);
  const Bytes quotients = copy(input.rest());
  streams.remainders = remainders;
  streams.quotients = quotients;
  const auto run = [&](const Kernels& row) {
    std::vector<std::uint32_t> out(streams.count + 16);
    const std::size_t used = row.rice(streams, out.data());
    out.resize(used == 0 ? 0 : streams.count);
    require(used <= quotients.size(), "only its own bytes are used");
    for (std::size_t i = 0; i < out.size(); ++i) {
      require(out[i] < streams.limit && (i == 0 || out[i] > out[i - 1]), "positions increase below the limit");
    }
    return std::pair(used, out);
  };
  const auto plain = run(kPlainKernels);
  for_each_row([&](const Kernels& row) { require(run(row) == plain, "all rows read the same positions"); });
}

void compare_planes(Input& input) {
  const unsigned width = 1u << input.u8() % 4;
  const std::size_t count = input.rest().size() / width;
  const Bytes units = copy(input.take(count * width));
  const auto run = [&](const Kernels& row) {
    Bytes planes(units.size()), back(units.size());
    row.split(width, units.data(), count, planes.data());
    const std::byte* starts[8] = {};
    for (unsigned p = 0; p < width; ++p) starts[p] = planes.data() + p * count;
    row.merge(width, starts, count, back.data());
    require(back == units, "planes give the units back");
    return planes;
  };
  const Bytes plain = run(kPlainKernels);
  for_each_row([&](const Kernels& row) { require(run(row) == plain, "planes of all rows are equal"); });
}

constexpr std::array kLoops = {compare_cells, compare_decode, compare_rice, compare_planes};

}  // namespace

void test_input(ByteSpan bytes) {
  Input input(bytes);
  kLoops[input.u8() % kLoops.size()](input);
}

}  // namespace dstore::fuzz
