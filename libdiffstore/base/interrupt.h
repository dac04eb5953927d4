#pragma once

namespace dstore {

/// Thrown by long loops after request_interrupt(). Not an Error: nothing went wrong.
struct Interrupted {};

/// Asks every parallel_for of this process to stop before its next step. Async-signal-safe.
void request_interrupt() noexcept;
/// Throws Interrupted if it was asked for.
void check_interrupt();

}  // namespace dstore
