#pragma once

#include <cstddef>
#include <functional>

namespace dstore {

/// CPUs this process may use (its affinity mask), at least 1.
unsigned available_threads();

/// Runs body(i) for every i in [0, count) on up to `threads` threads (0: available_threads()), indexes handed out in
/// order. Waits for all; the first exception by index is rethrown, and no further index is started after one.
/// Throws Interrupted (base/interrupt.h) where that was asked for.
void parallel_for(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& body);

}  // namespace dstore
