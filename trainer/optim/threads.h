#pragma once

#include <cstddef>
#include <functional>

namespace dstore {

/// Threads of LibTorch's pool, which our own loops share: one pool, no fighting over cores.
void set_training_threads(unsigned count);
unsigned training_threads();

/// body(begin, end) over [0, count) cut into at most one range a thread, none shorter than `grain` unless it is the only one.
void parallel_ranges(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)>& body);

}  // namespace dstore
