#pragma once

#include <stdexcept>

#include "object/checkpoint_table.h"
#include "object/chunked.h"
#include "object/commit.h"
#include "object/delta_table.h"
#include "object/evaluation.h"
#include "object/weights_table.h"

namespace dstore::test {

template <typename T>
Bytes parse_and_serialize(ByteSpan bytes) {
  return T::parse(bytes, "object").serialize();
}

template <typename T>
Bytes parse_and_serialize_text(ByteSpan bytes) {
  const std::string text = T::parse(bytes, "object").serialize();
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

/// Parses an object of a kind of this layer and writes it again.
inline Bytes round_trip(ObjectKind kind, ByteSpan bytes) {
  struct Row {
    ObjectKind kind;
    Bytes (*read)(ByteSpan bytes);
  };
  constexpr Row kRows[] = {
      {ObjectKind::tensor, parse_and_serialize<TensorObject>},        {ObjectKind::file, parse_and_serialize<FileObject>},
      {ObjectKind::weights, parse_and_serialize<WeightsTable>},       {ObjectKind::checkpoint, parse_and_serialize<CheckpointTable>},
      {ObjectKind::delta, parse_and_serialize<DeltaTable>},           {ObjectKind::commit, parse_and_serialize_text<Commit>},
      {ObjectKind::evaluation, parse_and_serialize_text<Evaluation>},
  };
  for (const Row& row : kRows) {
    if (row.kind == kind) return row.read(bytes);
  }
  throw std::logic_error("no object of this layer");
}

}  // namespace dstore::test
