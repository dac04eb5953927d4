#include "trainer/text/batches.h"

#include <algorithm>
#include <numeric>

#include "dstore/error.h"
#include "trainer/text/philox.h"

namespace dstore {
namespace {

void require_batch_size(std::size_t batch_size) {
  if (batch_size == 0) throw Error(ErrorCode::invalid_argument, "the batch size is 0");
}

std::vector<std::uint32_t> all_indices(std::size_t count) {
  std::vector<std::uint32_t> out(count);
  std::iota(out.begin(), out.end(), 0u);
  return out;
}

/// Cuts `order` into batches, appended to `plan`.
void cut(std::span<const std::uint32_t> order, std::size_t batch_size, BatchPlan& plan) {
  for (std::size_t start = 0; start < order.size(); start += batch_size) {
    const auto batch = order.subspan(start, std::min(batch_size, order.size() - start));
    plan.emplace_back(batch.begin(), batch.end());
  }
}

void add_target(const Dataset& dataset, const Example& example, Batch& batch) {
  switch (dataset.task) {
    case TaskKind::classification: batch.labels.push_back(example.label); return;
    case TaskKind::regression: batch.values.push_back(example.value); return;
    case TaskKind::multi_label: {
      const std::size_t start = batch.values.size();
      batch.values.resize(start + dataset.classes, 0.0);
      for (const std::int32_t label : example.labels) batch.values[start + static_cast<std::size_t>(label)] = 1.0;
    }
  }
}

}  // namespace

BatchPlan training_batches(std::span<const std::uint32_t> lengths, std::size_t batch_size, std::uint64_t seed,
                           std::uint32_t epoch, std::size_t buckets) {
  require_batch_size(batch_size);
  std::vector<std::uint32_t> order = all_indices(lengths.size());
  PhiloxSequence random(Philox(seed, RandomStream::data_order, epoch));
  shuffle(std::span(order), random);
  BatchPlan plan;
  const std::size_t run = std::min(batch_size, order.size()) * buckets;
  for (std::size_t start = 0; start < order.size(); start += run) {
    const auto part = std::span(order).subspan(start, std::min(run, order.size() - start));
    if (buckets > 1) std::stable_sort(part.begin(), part.end(), [&](std::uint32_t a, std::uint32_t b) { return lengths[a] < lengths[b]; });
    cut(part, batch_size, plan);
  }
  shuffle(std::span(plan), random);
  return plan;
}

BatchPlan evaluation_batches(std::span<const std::uint32_t> lengths, std::size_t batch_size) {
  require_batch_size(batch_size);
  std::vector<std::uint32_t> order = all_indices(lengths.size());
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return lengths[a] > lengths[b]; });
  BatchPlan plan;
  cut(order, batch_size, plan);
  return plan;
}

Batch make_batch(const Dataset& dataset, std::span<const std::uint32_t> examples, std::int32_t pad_id) {
  Batch batch;
  batch.examples.assign(examples.begin(), examples.end());
  std::size_t width = 0;
  for (const std::uint32_t index : examples) width = std::max(width, dataset.examples.at(index).encoding.size());
  batch.rows = static_cast<std::int64_t>(examples.size());
  batch.width = static_cast<std::int64_t>(width);
  batch.ids.assign(examples.size() * width, pad_id);
  batch.type_ids.assign(examples.size() * width, 0);
  batch.mask.assign(examples.size() * width, 0);
  for (std::size_t row = 0; row < examples.size(); ++row) {
    const Example& example = dataset.examples[examples[row]];
    const auto start = static_cast<std::ptrdiff_t>(row * width);
    std::copy(example.encoding.ids.begin(), example.encoding.ids.end(), batch.ids.begin() + start);
    std::copy(example.encoding.type_ids.begin(), example.encoding.type_ids.end(), batch.type_ids.begin() + start);
    std::fill_n(batch.mask.begin() + start, example.encoding.size(), 1);
    add_target(dataset, example, batch);
  }
  return batch;
}

}  // namespace dstore
