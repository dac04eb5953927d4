#pragma once

#include "trainer/loop/loop.h"
#include "trainer/methods/state.h"

namespace dstore {

/// Batches without end: epoch after epoch.
class BatchStream {
 public:
  BatchStream(const TaskData& data, const LoopOptions& options) : data_(data), options_(options), lengths_(data.train.lengths()) {}
  Batch next() {
    if (at_ == plan_.size()) {
      ++epochs_;
      make_plan();
      at_ = 0;
    }
    return make_batch(data_.train, plan_[at_++], data_.pad_id);
  }
  void exchange_state(StateArchive& archive) {
    archive.value("batches.epochs", epochs_);
    archive.value("batches.at", at_);
    if (!archive.reading() || epochs_ == 0) return;
    make_plan();
    StateArchive::require(at_ <= plan_.size(), "batches.at");
  }

 private:
  void make_plan() { plan_ = training_batches(lengths_, options_.batch, options_.seed, epochs_ - 1, options_.buckets); }

  const TaskData& data_;
  const LoopOptions& options_;
  std::vector<std::uint32_t> lengths_;
  BatchPlan plan_;
  std::uint64_t at_ = 0;      ///< next batch of the plan
  std::uint32_t epochs_ = 0;  ///< begun
};

}  // namespace dstore
