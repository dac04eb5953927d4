#include "trainer/optim/threads.h"

#include <ATen/Parallel.h>

namespace dstore {

void set_training_threads(unsigned count) { at::set_num_threads(static_cast<int>(count)); }
unsigned training_threads() { return static_cast<unsigned>(at::get_num_threads()); }

void parallel_ranges(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)>& body) {
  at::parallel_for(0, static_cast<std::int64_t>(count), static_cast<std::int64_t>(grain), [&](std::int64_t begin, std::int64_t end) {
    body(static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
  });
}

}  // namespace dstore
