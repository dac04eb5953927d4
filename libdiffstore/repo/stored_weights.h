#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "delta/segment.h"
#include "dstore/tensor.h"
#include "object/chunked.h"
#include "object/delta_table.h"
#include "object/weights_table.h"
#include "odb/object_store.h"
#include "repo/derived_tensor.h"

namespace dstore {

/// Segments in memory, the last few used ones. Thread-safe.
class SegmentCache {
 public:
  struct Loaded {
    Bytes bytes;
    std::unique_ptr<SegmentReader> reader;
  };
  SegmentCache(const ObjectStore& store, std::vector<ObjectId> ids) : store_(store), ids_(std::move(ids)) {}
  /// Shared, so that one a thread still applies outlives its eviction.
  std::shared_ptr<const Loaded> get(std::uint32_t segment) const;

 private:
  const ObjectStore& store_;
  std::vector<ObjectId> ids_;
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<std::uint32_t, std::shared_ptr<const Loaded>>> recent_;
};

/// The weights of a commit, read from a store: stored tensors, or tensors that a delta derives from those of a base, with
/// its pieces applied. Every chunk that is read is proved against its id; pieces check their own checksums. A derived
/// tensor is decoded by whole pieces: reads that begin and end with them (kPieceBytes) decode nothing twice. The store
/// must outlive it.
class StoredWeights : public TensorSource {
 public:
  /// Weights that are stored whole.
  static std::unique_ptr<StoredWeights> load(const ObjectStore& store, const ObjectId& weights);
  /// Base plus delta; Error{corrupt} unless the result's table has the id that the delta promises.
  static std::unique_ptr<StoredWeights> load(const ObjectStore& store, const DeltaTable& delta) { return load(store, delta, store); }
  /// The same where the base lies in another store than the delta.
  static std::unique_ptr<StoredWeights> load(const ObjectStore& store, const DeltaTable& delta, const ObjectStore& base_store);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;

  const ObjectId& tensor_id(std::size_t index) const { return tensors_[index].id; }
  /// Ids of the tensor's chunks; empty for a tensor that a delta derives (they are not stored).
  const std::vector<ObjectId>& chunks(std::size_t index) const { return tensors_[index].chunks; }
  /// What these take in their store.
  std::uint64_t chunk_bytes(std::size_t index) const;
  /// How a delta makes the tensor from one of its base; null for one that is stored, renamed or not.
  const DerivedTensor* derived(std::size_t index) const { return tensors_[index].derived ? &*tensors_[index].derived : nullptr; }
  /// The stored factors that derived(index)->factors names; null if there are none.
  const StoredWeights* factors(std::size_t index) const {
    return is_modified(index) && derived(index)->op == DeltaOp::low_rank ? factors_.get() : nullptr;
  }
  bool is_modified(std::size_t index) const { return tensors_[index].derived.has_value(); }
  /// What is modified, piece by piece: calls visit(reader, piece index) for the pieces stored.
  void for_each_piece(std::size_t index, const std::function<void(const SegmentReader&, std::size_t)>& visit) const;
  /// The same for the pieces that hold some of the units [first, first + count).
  void for_each_piece(std::size_t index, std::uint64_t first, std::uint64_t count, const std::function<void(const SegmentReader&, std::size_t)>& visit) const;

  /// While one lives, chunks that are read through the weights are proved by their records' checksums alone: its owner proves by a
  /// digest what it makes of all that it reads. Saves hashing everything twice, and what a delta changes three times.
  class ByDigest {
   public:
    explicit ByDigest(const StoredWeights& weights) : weights_(weights) { weights_.add_digest_readers(1); }
    ~ByDigest() { weights_.add_digest_readers(-1); }
    ByDigest(const ByDigest&) = delete;
    ByDigest& operator=(const ByDigest&) = delete;

   private:
    const StoredWeights& weights_;
  };

  /// What derived tensors are made from; null for weights that are stored whole.
  const StoredWeights* base() const { return base_.get(); }
  /// From now on reads the bytes of the base elsewhere: a folder that has its tensors. Pieces check the values that they change, what
  /// is not changed is not checked. Error{conflict} naming the first tensor that is not the base's by name, dtype and shape.
  void read_base_from(const TensorSource& source, std::string_view what);

  /// The piece of a modified tensor that starts at byte `offset`, if it is stored: in memory for as long as this lives.
  struct HeldPiece {
    std::shared_ptr<const SegmentCache::Loaded> segment;
    std::size_t index = 0;
  };
  std::optional<HeldPiece> piece_at(std::size_t index, std::uint64_t offset) const;
  /// Units that change, in that piece and in all of the modified tensor.
  std::uint64_t changed_at(std::size_t index, std::uint64_t offset) const;
  std::uint64_t changed(std::size_t index) const;

  const ObjectId& weights_id() const { return weights_id_; }
  WeightsTable table() const;

 private:
  /// Where one piece of a modified tensor is and which units it covers.
  struct PiecePlace {
    std::uint32_t segment = 0;
    std::size_t piece = 0;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t changed = 0;
  };
  struct Tensor {
    ObjectId id;
    const ObjectStore* store = nullptr;  ///< that has the chunks
    std::vector<ObjectId> chunks;        ///< empty for a derived tensor
    std::optional<DerivedTensor> derived{};
    std::uint32_t segment = 0;
    std::uint32_t piece = 0;
    std::uint32_t pieces = 0;
  };
  explicit StoredWeights(const ObjectStore& store) : store_(store) {}
  void add(TensorInfo info, Tensor tensor);
  void load_tensor(const std::string& name, const ObjectId& id);
  void finish(const ObjectId& expected);
  /// The operation of a change on a tensor of base_.
  DerivedTensor derive(const DeltaTable::Change& change, std::size_t base_index);
  LowRankFactors load_factors(const DeltaTable::Change& change);
  void add_digest_readers(int count) const;
  void read_stored(std::size_t index, std::uint64_t offset, MutableByteSpan out) const;
  void read_derived(std::size_t index, std::uint64_t offset, MutableByteSpan out) const;
  /// In order of `first`; found when a tensor is first read (its segments are read once for that).
  const std::vector<PiecePlace>& places(std::size_t index) const;
  /// The piece that starts at that byte; null where none is stored.
  const PiecePlace* place_at(std::size_t index, std::uint64_t offset) const;

  const ObjectStore& store_;
  std::vector<TensorInfo> infos_;
  std::vector<Tensor> tensors_;
  std::unique_ptr<StoredWeights> base_;     ///< what derived tensors are made from
  std::unique_ptr<StoredWeights> factors_;  ///< factors of low-rank changes, in no order
  std::unique_ptr<SegmentCache> segments_;
  mutable std::atomic<int> digest_readers_{0};
  mutable std::mutex places_mutex_;
  mutable std::map<std::size_t, std::vector<PiecePlace>> places_;
  ObjectId weights_id_;
};

}  // namespace dstore
