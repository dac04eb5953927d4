#pragma once

#include "base/sha256.h"
#include "repo/model_files.h"
#include "repo/write_delta.h"

namespace dstore {

/// The SHA-256 of a task's files, from what write_delta() makes of the task anyway. Tensors that are not made from the base's are read apart.
class ShardHashes : public TaskViewer {
 public:
  /// Task, shards and pairs must outlive it. Error{corrupt}: a shard lists a tensor that the task lacks.
  ShardHashes(const TensorSource& task, const std::vector<ShardFile>& shards, const std::vector<Pairing>& pairs);

  std::vector<std::size_t> order() const override;
  void take(std::size_t pair, std::uint64_t offset, ByteSpan bytes) override;
  /// The digest of each file. Only once.
  std::vector<ObjectId> finish();

 private:
  struct Shard {
    Sha256 hash{};
    std::vector<std::size_t> tensors{};  ///< of the task, in the file's order
    std::size_t next = 0;                ///< the first that is not hashed whole
  };
  struct Place {
    std::size_t shard = SIZE_MAX, at = 0;
  };
  void hash_next(Shard& shard);

  const TensorSource& task_;
  const std::vector<Pairing>& pairs_;
  std::vector<Shard> shards_;
  std::vector<Place> places_;  ///< of each tensor of the task
  std::uint64_t taken_ = 0;    ///< bytes of the tensor that is being shown
};

}  // namespace dstore
