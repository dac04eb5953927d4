#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "tensor/safetensors.h"

namespace dstore {

/// A safetensors file whose tensors are written in any order, each byte once. It appears under its name with commit(), or not at all.
class SafetensorsOutput {
 public:
  SafetensorsOutput(Filesystem& fs, const std::string& path, const std::vector<TensorInfo>& tensors, const std::map<std::string, std::string>& metadata);

  /// Bytes of the tensor `name` from `offset` on; several threads may write.
  void write(const std::string& name, std::uint64_t offset, ByteSpan bytes);
  void commit() { file_.commit(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  AtomicFile file_;
  std::map<std::string, std::uint64_t> offsets_;  ///< in the file
  std::uint64_t bytes_ = 0;
};

}  // namespace dstore
