#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace dstore {

/// What a delta says about one tensor of the result (or, for `remove`, of the base). Numbers are stored; never reused.
enum class DeltaOp : std::uint8_t {
  add = 1,     ///< new tensor, or one that replaces the base's of that name: `tensor` is stored whole
  remove = 2,  ///< the base's tensor is not in the result
  rename = 3,  ///< the base's tensor under another name
  modify = 4,  ///< the base's tensor with `pieces` applied; possibly under another name
};

/// The content of an object of kind `delta` (spec/objects.md, "delta"). What it does not mention stays as in the base.
struct DeltaTable {
  struct Change {
    DeltaOp op = DeltaOp::modify;
    std::string name;       ///< in the result; of the base for `remove`
    std::string base_name;  ///< empty: the same name
    std::uint32_t segment = 0;  ///< modify: where the first piece is: segments[segment], piece `piece`; the others follow,
    std::uint32_t piece = 0;    ///< also into the next segments
    std::uint32_t pieces = 0;
    ObjectId tensor;  ///< id of the resulting tensor: add, modify

    const std::string& from() const { return base_name.empty() ? name : base_name; }
  };
  ObjectId base_weights;
  ObjectId result_weights;
  std::vector<ObjectId> segments;
  std::vector<Change> changes;

  /// Sorts the changes by name.
  Bytes serialize();
  static DeltaTable parse(ByteSpan bytes, std::string_view what);
};

}  // namespace dstore
