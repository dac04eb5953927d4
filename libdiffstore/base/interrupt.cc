#include "base/interrupt.h"

#include <atomic>

namespace dstore {
namespace {
std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);
}  // namespace

void request_interrupt() noexcept { requested.store(true); }

void check_interrupt() {
  if (requested.load(std::memory_order_relaxed)) throw Interrupted{};
}

}  // namespace dstore
