#pragma once

#include <cstddef>
#include <functional>

#include "base/bytes.h"

namespace dstore {

/// For i in [0, count): produce(i, buffer) on up to `threads` threads, then consume(i, buffer) in order, one at a time
/// but beside later produce calls. At most 2 * (threads + 2) buffers live at once, whatever `count` is. The first
/// exception ends it and is rethrown.
void ordered_pipeline(std::size_t count, unsigned threads, const std::function<void(std::size_t, Bytes&)>& produce,
                      const std::function<void(std::size_t, const Bytes&)>& consume);

}  // namespace dstore
