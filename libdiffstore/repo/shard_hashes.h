#pragma once

#include "base/sha256.h"
#include "repo/model_files.h"
#include "repo/write_delta.h"

namespace dstore {

/// The order in which a computed task is made: that of its tensors in its files.
class ShardOrder : public TaskViewer {
 public:
  /// Task, shards and pairs must outlive it. Error{corrupt}: a shard lists a tensor that the task lacks.
  ShardOrder(const TensorSource& task, const std::vector<ShardFile>& shards, const std::vector<Pairing>& pairs);
  std::vector<std::size_t> order() const override;

 protected:
  struct Place {
    std::size_t shard = SIZE_MAX, at = 0;
  };
  const TensorSource& task_;
  const std::vector<Pairing>& pairs_;
  std::vector<std::vector<std::size_t>> tensors_;  ///< of the task, by shard, in the file's order
  std::vector<Place> places_;                      ///< of each tensor of the task
};

/// The SHA-256 of a task's files, from what write_delta() makes of the task anyway. Tensors that are not made from the base's are read apart.
class ShardHashes : public ShardOrder {
 public:
  ShardHashes(const TensorSource& task, const std::vector<ShardFile>& shards, const std::vector<Pairing>& pairs);

  bool wants_pieces() const override { return true; }
  void take(std::size_t pair, std::uint64_t offset, ByteSpan bytes) override;
  /// The digest of each file. Only once.
  std::vector<ObjectId> finish();

 private:
  struct Shard {
    Sha256 hash{};
    std::size_t next = 0;  ///< its first tensor that is not hashed whole
  };
  void hash_next(std::size_t shard);

  std::vector<Shard> shards_;
  std::uint64_t taken_ = 0;  ///< bytes of the tensor that is being shown
};

}  // namespace dstore
