#pragma once

#include <csignal>

namespace dstore {

/// SIGINT and SIGTERM ask the run to stop, for as long as this lives. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction old_int_ = {}, old_term_ = {};
};

/// Whether a signal came in since the last guard began; false where there has been none.
bool interrupted();

}  // namespace dstore
