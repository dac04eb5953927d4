#pragma once

#include <map>

#include "object/delta_table.h"
#include "repo/repository.h"
#include "tensor/dtype.h"

namespace dstore {

/// A tensor of a base, or one that a task's delta mentions.
struct TensorFact {
  std::string name;
  std::string base_name;     ///< in the base, where it has another name there
  std::optional<DeltaOp> op;  ///< nullopt: of a base
  DType dtype = DType::f32;  ///< of the result; of the base for `remove`
  std::vector<std::uint64_t> shape;
  ObjectId tensor;            ///< none for `remove` and `rename`
  std::uint64_t changed = 0;  ///< units that the segments change
};

/// All tensors of a base; of a task, those that its delta changes, adds, renames or removes. With the delta's own facts.
struct CommitTensors {
  std::vector<TensorFact> tensors;  ///< sorted by name
  ObjectId base_weights;            ///< of a task
  ObjectId result_weights;
  std::uint64_t base_units = 0;  ///< units in the base's tensors (in its own ones, for a base)
  std::uint64_t changed = 0;     ///< of them, as the segments say
  std::uint64_t segments = 0;
};

/// Reads them from the store. Keeps the tensors of the last base: most commits share one. Not thread-safe.
class TensorReader {
 public:
  explicit TensorReader(const Repository& repository) : repository_(repository) {}
  CommitTensors read(const Commit& commit);

 private:
  struct Kept {
    DType dtype = DType::f32;
    std::vector<std::uint64_t> shape;
    ObjectId tensor;
  };
  const std::map<std::string, Kept, std::less<>>& tensors_of(const ObjectId& weights);
  CommitTensors read_base(const Commit& commit);
  CommitTensors read_task(const Commit& commit);

  const Repository& repository_;
  ObjectId weights_;  ///< whose tensors these are
  std::map<std::string, Kept, std::less<>> tensors_;
  std::uint64_t units_ = 0;
};

/// As a row of the catalog (spec/catalog.md, "Tensors"), and back. decode: Error{corrupt} for what encode does not write.
Bytes encode_tensors(const CommitTensors& tensors);
CommitTensors decode_tensors(const ObjectId& commit, ByteSpan bytes);

}  // namespace dstore
