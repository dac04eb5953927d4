#pragma once

#include <cstddef>
#include <functional>

#include "base/bytes.h"

namespace dstore {

/// For i in [0, count): produce(i, buffer) on up to `threads` threads (0: available_threads()), then consume(i, buffer)
/// in order, one at a time but beside later produce calls. The threads live as long as the call; whichever is free takes
/// what is next. At most threads + 2 buffers live at once, whatever `count` is; a buffer is handed to produce as an
/// earlier call left it. Waits for all threads; of several exceptions the one of the lowest index is rethrown, and
/// nothing is started after one. Throws Interrupted (base/interrupt.h) where that was asked for.
void ordered_pipeline(std::size_t count, unsigned threads, const std::function<void(std::size_t, Bytes&)>& produce,
                      const std::function<void(std::size_t, const Bytes&)>& consume);

}  // namespace dstore
