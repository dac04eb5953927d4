#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace dstore {

/// Lets threads pass as long as the bytes that they hold together are within a limit, or they are alone.
class MemoryGate {
 public:
  explicit MemoryGate(std::uint64_t limit) : limit_(limit) {}
  void enter(std::uint64_t bytes) {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [&] { return held_ == 0 || held_ + bytes <= limit_; });
    held_ += bytes;
  }
  void leave(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    held_ -= bytes;
    left_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  const std::uint64_t limit_;
  std::uint64_t held_ = 0;
};

/// What one thread holds, as long as this lives.
class MemoryHold {
 public:
  MemoryHold(MemoryGate& gate, std::uint64_t bytes) : gate_(gate), bytes_(bytes) { gate_.enter(bytes_); }
  ~MemoryHold() { gate_.leave(bytes_); }
  MemoryHold(const MemoryHold&) = delete;
  MemoryHold& operator=(const MemoryHold&) = delete;

 private:
  MemoryGate& gate_;
  std::uint64_t bytes_;
};

}  // namespace dstore
