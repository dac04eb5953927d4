#pragma once

#include <string>
#include <string_view>

#include "fuzz.h"

namespace dstore::fuzz {

/// The corpus: a folder for each target, its files numbered as they are added.
class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  /// `what` goes into the file's name.
  void add(std::string_view target, std::string_view what, ByteSpan content);
  void add(std::string_view target, std::string_view what, std::string_view content) { add(target, what, as_bytes(content)); }

 private:
  std::string path_;
};

struct TensorBytes {
  Bytes base;
  Bytes task;
};
/// Weights of a model in bf16, and a task a few last bits away.
TensorBytes bf16_weights(std::size_t units);

/// Seeds of segment, segment_block, segment_round_trip and kernels.
void write_segments(Folder& folder);

}  // namespace dstore::fuzz
