#include "object/delta_table.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <tuple>

#include "dstore/error.h"
#include "object/name_table.h"
#include "tensor/dtype.h"
#include "tensor/tensor_name.h"

namespace dstore {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kFoldable = 0;  // flags: other kinds of delta come with other values
constexpr std::size_t kChangeBytes = 4 + 8 + 8 + 12 + ObjectId::kSize;
constexpr std::size_t kConvertBytes = 16;
constexpr std::size_t kLowRankBytes = 2 * ObjectId::kSize + 8;

enum class Pieces { none, some, any };

/// Which fields an operation uses; the others are zero.
struct OpRow {
  DeltaOp op;
  std::string_view name;
  bool base_name_required;
  bool base_name_allowed;
  Pieces pieces;
  bool tensor;
  bool derived;
};

constexpr OpRow kOps[] = {
    {DeltaOp::add, "add", false, false, Pieces::none, true, false},
    {DeltaOp::remove, "remove", false, false, Pieces::none, false, false},
    {DeltaOp::rename, "rename", true, true, Pieces::none, false, false},
    {DeltaOp::modify, "modify", false, true, Pieces::some, true, true},
    {DeltaOp::convert, "convert", false, true, Pieces::any, true, true},
    {DeltaOp::low_rank, "low_rank", false, true, Pieces::any, true, true},
};

const OpRow* find_op(std::uint8_t code) {
  for (const OpRow& row : kOps) {
    if (static_cast<std::uint8_t>(row.op) == code) return &row;
  }
  return nullptr;
}

DeltaTable::Convert read_convert(Reader& reader) {
  const auto dtype = dtype_from_code(reader.u8());
  if (!dtype) throw Error(ErrorCode::unsupported, "a delta converts a tensor to a dtype that this build does not know; use a newer dstore");
  if (reader.u8() != 0 || reader.u16() != 0 || reader.u32() != 0) reader.fail("reserved field is not zero");
  return {*dtype, reader.u64()};
}

DeltaTable::LowRank read_low_rank(Reader& reader) {
  DeltaTable::LowRank out;
  out.b = reader.id();
  out.a = reader.id();
  out.scale = std::bit_cast<float>(reader.u32());
  if (!std::isfinite(out.scale) || reader.u32() != 0) reader.fail("low-rank factors");
  return out;
}

std::uint64_t count_of(ByteSpan records, DeltaOp op) {
  std::uint64_t count = 0;
  for (std::size_t at = 0; at < records.size(); at += kChangeBytes) count += records[at] == static_cast<std::byte>(op);
  return count;
}

DeltaTable::Change read_change(Reader& records, Reader& converts, Reader& factors, NameReader& names, std::size_t segments) {
  const OpRow* row = find_op(records.u8());
  if (row == nullptr) throw Error(ErrorCode::unsupported, "a delta has an operation that this build does not know; use a newer dstore");
  if (records.u8() != 0 || records.u16() != 0) records.fail("reserved field is not zero");
  DeltaTable::Change change;
  change.op = row->op;
  change.name = names.next(records);
  change.base_name = names.next(records);
  change.segment = records.u32();
  change.piece = records.u32();
  change.pieces = records.u32();
  change.tensor = records.id_or_none();
  for (const std::string* name : {&change.name, &change.base_name}) {
    const auto problem = tensor_name_problem(*name);
    if (problem && (name == &change.name || !name->empty())) records.fail("a tensor name " + *problem);
  }
  if (change.base_name == change.name) records.fail("a tensor renamed to its own name");
  if (change.base_name.empty() ? row->base_name_required : !row->base_name_allowed) records.fail("base name");
  const bool pieces_fit = change.pieces == 0 ? row->pieces != Pieces::some && change.segment == 0 && change.piece == 0
                                             : row->pieces != Pieces::none && change.segment < segments;
  if (!pieces_fit) records.fail("place of the pieces");
  if (row->tensor == change.tensor.is_none()) records.fail("tensor id");
  if (change.op == DeltaOp::convert) change.convert = read_convert(converts);
  if (change.op == DeltaOp::low_rank) change.low_rank = read_low_rank(factors);
  return change;
}

/// Each tensor of the result comes from one place, each tensor of the base goes to one.
class Uses {
 public:
  void add(const DeltaTable::Change& change, const Reader& records) {
    if (change.op != DeltaOp::remove && !results_.insert(change.name).second) records.fail("two tensors of one name in the result");
    if (change.op != DeltaOp::add && !sources_.insert(change.from()).second) records.fail("a tensor of the base used twice");
    if (change.op == DeltaOp::add) added_.insert(change.name);
    if (change.op == DeltaOp::remove && added_.count(change.name) > 0) records.fail("a removal beside what replaces the tensor");
  }

 private:
  std::set<std::string> results_, sources_, added_;
};

}  // namespace

std::string_view delta_op_name(DeltaOp op) { return find_op(static_cast<std::uint8_t>(op))->name; }
bool is_derived(DeltaOp op) { return find_op(static_cast<std::uint8_t>(op))->derived; }

std::vector<ObjectId> DeltaTable::stored_tensors() const {
  std::vector<ObjectId> out;
  for (const Change& change : changes) {
    if (change.op == DeltaOp::add) out.push_back(change.tensor);
    if (change.low_rank) out.insert(out.end(), {change.low_rank->b, change.low_rank->a});
  }
  return out;
}

Bytes DeltaTable::serialize() {
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return std::tie(a.name, a.op) < std::tie(b.name, b.op);
  });
  Writer records, converts, factors;
  NameWriter names;
  for (const Change& change : changes) {
    records.u8(static_cast<std::uint8_t>(change.op));
    records.u8(0);
    records.u16(0);
    names.add(records, change.name);
    names.add(records, change.base_name);
    records.u32(change.segment);
    records.u32(change.piece);
    records.u32(change.pieces);
    records.id(change.tensor);
    if (change.convert) {
      converts.u64(static_cast<std::uint8_t>(change.convert->dtype));
      converts.u64(change.convert->rows);
    }
    if (change.low_rank) {
      factors.id(change.low_rank->b);
      factors.id(change.low_rank->a);
      factors.u64(std::bit_cast<std::uint32_t>(change.low_rank->scale));
    }
  }
  Writer out;
  out.u32(kVersion);
  out.u32(kFoldable);
  out.id(base_weights);
  out.id(result_weights);
  out.u32(static_cast<std::uint32_t>(segments.size()));
  out.u32(static_cast<std::uint32_t>(changes.size()));
  out.u32(names.bytes());
  for (const ObjectId& id : segments) out.id(id);
  for (const Writer* table : {&records, &converts, &factors}) out.bytes(table->data());
  out.text(names.text());
  return out.take();
}

DeltaTable DeltaTable::parse(ByteSpan bytes, std::string_view what) {
  Reader reader(bytes, what);
  if (reader.u32() != kVersion || reader.u32() != kFoldable) {
    throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  }
  DeltaTable table;
  table.base_weights = reader.id();
  table.result_weights = reader.id();
  const std::uint32_t segment_count = reader.u32();
  const std::uint32_t change_count = reader.u32();
  const std::uint32_t name_bytes = reader.u32();
  Reader ids(reader.bytes(std::uint64_t{segment_count} * ObjectId::kSize), what);
  const ByteSpan record_bytes = reader.bytes(std::uint64_t{change_count} * kChangeBytes);
  Reader records(record_bytes, what);
  Reader converts(reader.bytes(count_of(record_bytes, DeltaOp::convert) * kConvertBytes), what);
  Reader factors(reader.bytes(count_of(record_bytes, DeltaOp::low_rank) * kLowRankBytes), what);
  NameReader names(reader.text(name_bytes));
  reader.expect_end();
  for (std::uint32_t i = 0; i < segment_count; ++i) table.segments.push_back(ids.id());
  Uses uses;
  for (std::uint32_t i = 0; i < change_count; ++i) {
    table.changes.push_back(read_change(records, converts, factors, names, table.segments.size()));
    uses.add(table.changes.back(), records);
    if (i > 0) {
      const Change& a = table.changes[i - 1];
      const Change& b = table.changes[i];
      if (std::tie(a.name, a.op) >= std::tie(b.name, b.op)) records.fail("changes not sorted");
    }
  }
  names.expect_end(records);
  return table;
}

}  // namespace dstore
