#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace dstore {

/// The content of an object of kind `weights`: name → tensor id, sorted by name. Its id names the weights whatever
/// files hold them (spec/objects.md, "weights").
struct WeightsTable {
  struct Row {
    std::string name;
    ObjectId tensor;
    friend bool operator==(const Row&, const Row&) = default;
  };
  std::vector<Row> rows;

  /// Sorts the rows; Error{invalid_argument} if two share a name.
  Bytes serialize();
  static WeightsTable parse(ByteSpan bytes, std::string_view what);
  const Row* find(std::string_view name) const;
};

}  // namespace dstore
