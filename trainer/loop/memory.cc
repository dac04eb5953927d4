#include "trainer/loop/memory.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "base/size_text.h"
#include "dstore/error.h"
#include "tensor/dtype.h"
#include "trainer/loop/memory_room.h"

namespace dstore {
namespace {

/// What LibTorch takes for itself once it computes: code, buffers of the matrix products, gaps in the heap. Measured, as docs/training.md shows.
constexpr double kRuntimeBytes = 140e6;
constexpr double kEvaluationRows = 64;
/// A selected entry: value, both moments, gradient, best value, index, and for the next round or the file once more.
constexpr double kSelectedBytes = 32;

double longest(const Dataset& data) {
  const std::vector<std::uint32_t> lengths = data.lengths();
  return lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
}

/// What the run meets of the training texts.
struct Met {
  double width = 0;       ///< longest text
  double vocabulary = 0;  ///< share of the words
};

/// A run shorter than an epoch meets its first batches only.
Met met_by(const Network& network, const TaskData& data, const TrainOptions& o, long steps) {
  std::vector<bool> words(static_cast<std::size_t>(network.table().config.vocabulary));
  BatchPlan plan = training_batches(data.train.lengths(), o.batch, o.seed, 0, o.buckets);
  if (std::cmp_less(steps, plan.size())) plan.resize(static_cast<std::size_t>(steps));
  std::size_t width = 0;
  for (const auto& batch : plan) {
    for (const std::uint32_t at : batch) {
      const Encoding& text = data.train.examples[at].encoding;
      width = std::max(width, text.size());
      for (const std::int32_t id : text.ids) words[static_cast<std::size_t>(id)] = true;
    }
  }
  return {static_cast<double>(width), static_cast<double>(std::count(words.begin(), words.end(), true)) / static_cast<double>(words.size())};
}

double method_bytes(const Network& network, const MethodRow& method, const TaskData& data, const TrainOptions& o, double met) {
  constexpr double kDense = 3;  // gradient and two moments
  double numbers = 0;
  for (const Parameter& p : network.parameters()) {
    if (!p.trainable) continue;
    const double count = static_cast<double>(p.count);
    const double arrays = p.is_head ? kDense : p.by_rows() ? met * method.arrays + (1 - met) * method.idle_row_arrays : method.arrays;
    const bool copied = data.dev && (p.is_head || method.density == 0);  // the best values
    numbers += count * (arrays + (copied ? 1 : 0));
  }
  return 4 * numbers + kSelectedBytes * o.density.value_or(method.density) * static_cast<double>(network.table().body_elements());
}

double activation_bytes(const Network& network, const TaskData& data, const TrainOptions& o, double width) {
  const ParameterTable& table = network.table();
  const std::size_t batch = std::min(o.batch, data.train.examples.size()), parts = std::min(o.accumulate, batch);
  PassShape shape{static_cast<double>((batch + parts - 1) / parts), width, table.config.layers, false, o.precision == "bf16",
                  o.checkpoint_activations};
  for (const Parameter& p : table.parameters) {
    const RolePart part = role_info(p.role).part;
    if (p.trainable && part == RolePart::layer) shape.first_layer = std::min(shape.first_layer, p.layer);
    if (p.trainable && part == RolePart::embedding) {
      shape.first_layer = 0;
      shape.embeddings = true;
    }
  }
  double bytes = table.family->activations(table.config, shape);
  for (const auto* other : {&data.dev, &data.test}) {
    if (!*other) continue;
    const double rows = std::min(kEvaluationRows, static_cast<double>((*other)->examples.size()));
    bytes = std::max(bytes, table.family->forward_bytes(table.config, rows, longest(**other)));
  }
  return bytes;
}

/// The changed tensors in the base's dtype, or the largest of them beside it before and after.
double output_bytes(const Network& network) {
  double total = 0, largest = 0;
  for (const Parameter& p : network.parameters()) {
    if (!p.trainable) continue;
    const double count = static_cast<double>(p.count);
    total += count * static_cast<double>(dtype_info(p.dtype).bits) / 8;
    largest = std::max(largest, 4 * count);
  }
  return std::max(total, 3 * largest);
}

std::string bytes_text(double bytes) { return human_size(static_cast<std::uint64_t>(std::max(0.0, bytes))); }

}  // namespace

const char* const kMemoryAdvice = "try a smaller --batch or --max-length, --accumulate N (the same batch in N parts) or --checkpoint-activations";

MemoryNeed memory_need(const Network& network, const MethodRow& method, const TaskData& data, const TrainOptions& o, long steps) {
  MemoryNeed need;
  need.held = held_memory() + kRuntimeBytes;
  const Met met = met_by(network, data, o, steps);
  need.method = method_bytes(network, method, data, o, met.vocabulary);
  if (o.device == "cpu") need.activations = activation_bytes(network, data, o, met.width);
  const bool searched = method.density > 0 || method.phases != one_phase;  // what the search took is given back by then
  need.output = output_bytes(network) + (searched ? 0 : need.method);
  return need;
}

std::string memory_text(const MemoryNeed& need) {
  return "memory about " + bytes_text(need.total()) + ": program and weights " + bytes_text(need.held) + ", method " + bytes_text(need.method) +
         ", activations " + bytes_text(need.activations);
}

void require_memory(const MemoryNeed& need, std::optional<double> room) {
  if (!room || need.total() - need.held <= *room) return;
  throw Error(ErrorCode::io, "this needs about " + bytes_text(need.total()) + " of memory and can have " + bytes_text(need.held + *room) + ": " +
              kMemoryAdvice + "; --ignore-memory goes on all the same");
}

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  for (const char* words : {"can't allocate memory", "out of memory", "bad_alloc"}) {
    if (std::strstr(error.what(), words) != nullptr) return true;
  }
  return false;
}

}  // namespace dstore
