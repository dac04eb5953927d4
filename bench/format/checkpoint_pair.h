#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "delta/segment.h"

namespace dstore::bench {

/// A tensor that base and task both have; `offset` is where it lies in a buffer of all of them.
struct TensorPair {
  std::string name;
  DType dtype;
  ByteSpan base;
  ByteSpan task;
  std::size_t offset = 0;
};

/// Two safetensors files with the same tensors, mapped.
class CheckpointPair {
 public:
  CheckpointPair(const std::string& base, const std::string& task);
  const std::vector<TensorPair>& tensors() const { return tensors_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t units() const;

 private:
  MappedFile base_;
  MappedFile task_;
  std::vector<TensorPair> tensors_;
  std::uint64_t bytes_ = 0;
};

/// A profile as the command line names it.
struct ProfileName {
  std::string_view name;
  Profile profile;
};
std::span<const ProfileName> profiles();
/// Error{invalid_argument} that lists the names.
Profile find_profile(std::string_view name);

/// Which piece of which segment changes which bytes of the buffer.
struct PieceUse {
  std::size_t segment;
  std::size_t piece;
  std::size_t tensor;
  std::uint64_t first;  ///< unit
  std::size_t offset;   ///< in the buffer
  std::size_t bytes;
};

struct EncodedDelta {
  std::vector<Bytes> segments;
  std::vector<PieceUse> uses;
  std::uint64_t changed = 0;

  std::uint64_t segment_bytes() const;
};

/// The pieces of all tensors in order, packed into segments as a commit does.
EncodedDelta encode(const std::vector<TensorPair>& tensors, Profile profile);

/// Base to task in place; `buffer` holds the tensors at their offsets.
void apply(const EncodedDelta& delta, const std::vector<TensorPair>& tensors, MutableByteSpan buffer, unsigned threads);

}  // namespace dstore::bench
