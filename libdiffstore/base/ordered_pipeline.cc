#include "base/ordered_pipeline.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"

namespace dstore {

void ordered_pipeline(std::size_t count, unsigned threads, const std::function<void(std::size_t, Bytes&)>& produce,
                      const std::function<void(std::size_t, const Bytes&)>& consume) {
  if (threads == 0) threads = available_threads();
  const std::size_t window = std::size_t{threads} + 2;
  std::vector<Bytes> current(window), previous(window);
  std::size_t previous_first = 0, previous_count = 0;
  for (std::size_t first = 0; first < count || previous_count > 0;) {
    const std::size_t now = std::min(window, count - first);
    parallel_for(now + 1, threads, [&](std::size_t i) {
      if (i > 0) return produce(first + i - 1, current[i - 1]);
      for (std::size_t p = 0; p < previous_count; ++p) consume(previous_first + p, previous[p]);
    });
    std::swap(current, previous);
    previous_first = first;
    previous_count = now;
    first += now;
  }
}

}  // namespace dstore
