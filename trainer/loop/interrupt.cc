#include "trainer/loop/interrupt.h"

namespace dstore {
namespace {

volatile std::sig_atomic_t requested = 0;
void request(int) { requested = 1; }

}  // namespace

InterruptGuard::InterruptGuard() {
  requested = 0;
  struct sigaction action = {};
  action.sa_handler = request;
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
}

bool interrupted() { return requested != 0; }

}  // namespace dstore
