#include "object/delta_table.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "dstore/error.h"
#include "object/name_table.h"
#include "tensor/tensor_name.h"

namespace dstore {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kFoldable = 0;  // flags: other kinds of delta come with other values
constexpr std::size_t kChangeBytes = 4 + 8 + 8 + 12 + ObjectId::kSize;

/// Which fields an operation uses; the others are zero.
struct OpRow {
  DeltaOp op;
  bool base_name_required;
  bool base_name_allowed;
  bool pieces;
  bool tensor;
};

constexpr OpRow kOps[] = {
    {DeltaOp::add, false, false, false, true},
    {DeltaOp::remove, false, false, false, false},
    {DeltaOp::rename, true, true, false, false},
    {DeltaOp::modify, false, true, true, true},
};

const OpRow* find_op(std::uint8_t code) {
  for (const OpRow& row : kOps) {
    if (static_cast<std::uint8_t>(row.op) == code) return &row;
  }
  return nullptr;
}

DeltaTable::Change read_change(Reader& records, NameReader& names, std::size_t segments) {
  const OpRow* row = find_op(records.u8());
  if (row == nullptr || records.u8() != 0 || records.u16() != 0) records.fail("unknown operation");
  DeltaTable::Change change;
  change.op = row->op;
  change.name = names.next(records);
  change.base_name = names.next(records);
  change.segment = records.u32();
  change.piece = records.u32();
  change.pieces = records.u32();
  change.tensor = records.id();
  for (const std::string* name : {&change.name, &change.base_name}) {
    const auto problem = tensor_name_problem(*name);
    if (problem && (name == &change.name || !name->empty())) records.fail("a tensor name " + *problem);
  }
  if (change.base_name == change.name) records.fail("a tensor renamed to its own name");
  if (change.base_name.empty() ? row->base_name_required : !row->base_name_allowed) records.fail("base name");
  if (row->pieces ? change.pieces == 0 || change.segment >= segments
                  : change.segment != 0 || change.piece != 0 || change.pieces != 0) {
    records.fail("place of the pieces");
  }
  if (row->tensor == change.tensor.is_none()) records.fail("tensor id");
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

Bytes DeltaTable::serialize() {
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return std::tie(a.name, a.op) < std::tie(b.name, b.op);
  });
  Writer records;
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
  out.bytes(records.data());
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
  Reader records(reader.bytes(std::uint64_t{change_count} * kChangeBytes), what);
  NameReader names(reader.text(name_bytes));
  reader.expect_end();
  for (std::uint32_t i = 0; i < segment_count; ++i) table.segments.push_back(ids.id());
  Uses uses;
  for (std::uint32_t i = 0; i < change_count; ++i) {
    table.changes.push_back(read_change(records, names, table.segments.size()));
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
