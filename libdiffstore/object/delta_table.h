#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// What a delta says about one tensor of the result (or, for `remove`, of the base). Numbers are stored; never reused.
enum class DeltaOp : std::uint8_t {
  add = 1,     ///< new tensor, or one that replaces the base's of that name: `tensor` is stored whole
  remove = 2,  ///< the base's tensor is not in the result
  rename = 3,  ///< the base's tensor under another name
  modify = 4,  ///< the base's tensor with `pieces` applied; possibly under another name
  convert = 5,   ///< as modify, but first brought to another number of rows or another float dtype; perhaps no pieces
  low_rank = 6,  ///< as modify, but first changed by two factors; perhaps no pieces
};

/// "modify", ...: for messages and JSON.
std::string_view delta_op_name(DeltaOp op);
/// Whether the result's bytes are made from those of a tensor of the base: modify, convert, low_rank.
bool is_derived(DeltaOp op);

/// The content of an object of kind `delta` (spec/objects.md, "delta"). What it does not mention stays as in the base.
struct DeltaTable {
  struct Convert {
    DType dtype = DType::f32;  ///< of the result
    std::uint64_t rows = 0;    ///< first dimension of the result; 1 for a scalar
  };
  struct LowRank {
    ObjectId b;  ///< tensor objects of shape [m, r] and [r, n]
    ObjectId a;
    float scale = 1;
  };
  struct Change {
    DeltaOp op = DeltaOp::modify;
    std::string name;       ///< in the result; of the base for `remove`
    std::string base_name;  ///< empty: the same name
    std::uint32_t segment = 0;  ///< derived: where the first piece is: segments[segment], piece `piece`; the others follow,
    std::uint32_t piece = 0;    ///< also into the next segments
    std::uint32_t pieces = 0;
    ObjectId tensor;  ///< id of the resulting tensor: add and derived
    std::optional<Convert> convert{};   ///< set for `convert` alone
    std::optional<LowRank> low_rank{};  ///< set for `low_rank` alone

    const std::string& from() const { return base_name.empty() ? name : base_name; }
  };
  ObjectId base_weights;
  ObjectId result_weights;
  std::vector<ObjectId> segments;
  std::vector<Change> changes;

  /// Ids of the tensor objects that the delta needs besides its base: new tensors and factors.
  std::vector<ObjectId> stored_tensors() const;

  /// Sorts the changes by name.
  Bytes serialize();
  static DeltaTable parse(ByteSpan bytes, std::string_view what);
};

}  // namespace dstore
