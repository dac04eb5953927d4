#include "object/weights_table.h"

#include <algorithm>

#include "dstore/error.h"
#include "object/name_table.h"
#include "tensor/tensor_name.h"

namespace dstore {
namespace {
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kRowBytes = 8 + ObjectId::kSize;
}  // namespace

Bytes WeightsTable::serialize() {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
  Writer records;
  NameWriter names;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && rows[i].name == rows[i - 1].name) {
      throw Error(ErrorCode::invalid_argument, "two tensors are called " + printable(rows[i].name));
    }
    if (const auto problem = tensor_name_problem(rows[i].name)) throw Error(ErrorCode::invalid_argument, "a tensor name " + *problem);
    names.add(records, rows[i].name);
    records.id(rows[i].tensor);
  }
  Writer out;
  out.u32(kVersion);
  out.u32(static_cast<std::uint32_t>(rows.size()));
  out.u32(names.bytes());
  out.bytes(records.data());
  out.text(names.text());
  return out.take();
}

WeightsTable WeightsTable::parse(ByteSpan bytes, std::string_view what) {
  Reader reader(bytes, what);
  if (reader.u32() != kVersion) throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  const std::uint32_t count = reader.u32();
  const std::uint32_t name_bytes = reader.u32();
  Reader records(reader.bytes(std::uint64_t{count} * kRowBytes), what);
  NameReader names(reader.text(name_bytes));
  reader.expect_end();
  WeightsTable table;
  table.rows.resize(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    table.rows[i].name = names.next(records);
    table.rows[i].tensor = records.id();
    if (const auto problem = tensor_name_problem(table.rows[i].name)) records.fail("a tensor name " + *problem);
    if (i > 0 && table.rows[i].name <= table.rows[i - 1].name) records.fail("names not sorted");
  }
  names.expect_end(records);
  return table;
}

const WeightsTable::Row* WeightsTable::find(std::string_view name) const {
  const auto it = std::lower_bound(rows.begin(), rows.end(), name, [](const Row& row, std::string_view n) { return row.name < n; });
  return it == rows.end() || it->name != name ? nullptr : &*it;
}

}  // namespace dstore
