#pragma once

#include "base/sha256.h"
#include "repo/model_files.h"
#include "repo/write_delta.h"

namespace dstore {

/// The SHA-256 of a task's files, from what write_delta() shows of the task anyway. That does for files whose tensors stand in its order, as
/// most do; the others are hashed in a pass of their own.
class ShardHashes {
 public:
  /// Task, shards and pairs must outlive it. Error{corrupt}: a shard lists a tensor that the task lacks.
  ShardHashes(const TensorSource& task, const std::vector<ShardFile>& shards, const std::vector<Pairing>& pairs);
  /// As ShowPiece.
  void take(std::size_t pair, std::uint64_t offset, ByteSpan bytes);
  /// The digest of each file. Only once.
  std::vector<ObjectId> finish();

 private:
  struct Shard {
    const SafetensorsHeader* header;
    Sha256 hash{};
    std::vector<std::size_t> tensors{};  ///< of the task, in the file's order
    std::size_t next = 0;                ///< the first that is not hashed whole
    std::uint64_t offset = 0;            ///< in it
    bool ordered = true;                 ///< so far
  };
  struct Place {
    std::size_t shard = SIZE_MAX, at = 0;
  };
  void hash_next(Shard& shard);
  void hash_what_is_not_shown(Shard& shard, std::size_t end, std::size_t pair);

  const TensorSource& task_;
  const std::vector<Pairing>& pairs_;
  std::vector<Shard> shards_;
  std::vector<Place> places_;           ///< of each tensor of the task
  std::vector<std::size_t> pair_of_;    ///< of each tensor of the task
};

}  // namespace dstore
