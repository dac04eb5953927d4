#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trainer/text/dataset.h"

namespace dstore {

/// Example indices of each batch. Every example stands in exactly one; only one batch may be smaller than batch_size.
using BatchPlan = std::vector<std::vector<std::uint32_t>>;

inline constexpr std::size_t kBucketBatches = 50;
/// One epoch's batches: shuffled (Philox keyed seed, data_order, epoch), cut into runs of `buckets` batches, each run sorted by
/// length (unless it is one batch), cut into batches, the batches shuffled. A function of its arguments alone.
BatchPlan training_batches(std::span<const std::uint32_t> lengths, std::size_t batch_size, std::uint64_t seed,
                           std::uint32_t epoch, std::size_t buckets = kBucketBatches);
/// Longest first, ties in file order: the largest batch comes first, so a lack of memory shows at once.
BatchPlan evaluation_batches(std::span<const std::uint32_t> lengths, std::size_t batch_size);

/// Padded row-major arrays [rows, width]; width is the longest row's length. Mask is 1 on tokens, 0 on padding.
struct Batch {
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::vector<std::int64_t> ids, type_ids, mask;
  std::vector<std::int64_t> labels;     ///< [rows], classification
  std::vector<double> values;           ///< [rows], regression; [rows, classes] of 0 and 1, multi-label
  std::vector<std::uint32_t> examples;  ///< [rows], indices into the dataset
};

Batch make_batch(const Dataset& dataset, std::span<const std::uint32_t> examples, std::int32_t pad_id);

}  // namespace dstore
