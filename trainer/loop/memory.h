#pragma once

#include <algorithm>
#include <exception>
#include <optional>
#include <string>

#include "trainer/loop/options.h"
#include "trainer/loop/task_data.h"
#include "trainer/methods/method.h"

namespace dstore {

/// Bytes that a run needs, by what they are for.
struct MemoryNeed {
  double held = 0;         ///< already: program, base, values, data
  double method = 0;       ///< gradients, optimiser states and whatever else the method keeps for each weight
  double activations = 0;  ///< of the longest batch, or part of one
  double output = 0;       ///< when the result is written: that, and what the method has not given back
  double total() const { return held + std::max(method + activations, output); }
};

MemoryNeed memory_need(const Network& network, const MethodRow& method, const TaskData& data, const TrainOptions& options, long steps);
/// "memory about 412.0 MB: 230.1 MB for program and weights, ..."
std::string memory_text(const MemoryNeed& need);
/// Error{io} that says what to do where `room` more bytes are too few.
void require_memory(const MemoryNeed& need, std::optional<double> room);

/// Whether this is how a lack of memory shows: std::bad_alloc, or LibTorch's messages.
bool is_out_of_memory(const std::exception& error);
/// What to do then.
extern const char* const kMemoryAdvice;

}  // namespace dstore
