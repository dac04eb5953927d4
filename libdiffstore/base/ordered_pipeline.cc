#include "base/ordered_pipeline.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/interrupt.h"
#include "base/parallel.h"

namespace dstore {
namespace {

/// A ring of buffers: index i lives in slot i % slots from its produce call to the end of its consume call.
class Pipeline {
 public:
  Pipeline(std::size_t count, std::size_t slots, const std::function<void(std::size_t, Bytes&)>& produce,
           const std::function<void(std::size_t, const Bytes&)>& consume)
      : count_(count), produce_(produce), consume_(consume), slots_(slots) {}

  /// The loop of every thread. Consuming goes first: it gives a slot back.
  void work() {
    std::unique_lock lock(mutex_);
    while (!failure_ && consumed_ < count_) {
      if (!consuming_ && slots_[consumed_ % slots_.size()].ready) {
        const std::size_t i = consumed_;
        Slot& slot = slots_[i % slots_.size()];
        consuming_ = true;
        run(lock, i, [&] { consume_(i, slot.buffer); });
        consuming_ = false;
        slot.ready = false;
        ++consumed_;
      } else if (produced_ < count_ && produced_ - consumed_ < slots_.size()) {
        const std::size_t i = produced_++;
        Slot& slot = slots_[i % slots_.size()];
        run(lock, i, [&] { produce_(i, slot.buffer); });
        slot.ready = true;
      } else {
        changed_.wait(lock);
        continue;
      }
      changed_.notify_all();
    }
  }

  void finish() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  struct Slot {
    Bytes buffer;
    bool ready = false;
  };

  template <typename Step>
  void run(std::unique_lock<std::mutex>& lock, std::size_t i, const Step& step) {
    lock.unlock();
    std::exception_ptr problem;
    try {
      check_interrupt();
      step();
    } catch (...) {
      problem = std::current_exception();
    }
    lock.lock();
    if (!problem || (failure_ && failed_at_ <= i)) return;
    failure_ = problem;
    failed_at_ = i;
  }

  const std::size_t count_;
  const std::function<void(std::size_t, Bytes&)>& produce_;
  const std::function<void(std::size_t, const Bytes&)>& consume_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::size_t produced_ = 0;  ///< started
  std::size_t consumed_ = 0;  ///< ended
  bool consuming_ = false;
  std::size_t failed_at_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

void ordered_pipeline(std::size_t count, unsigned threads, const std::function<void(std::size_t, Bytes&)>& produce,
                      const std::function<void(std::size_t, const Bytes&)>& consume) {
  if (threads == 0) threads = available_threads();
  threads = static_cast<unsigned>(std::min<std::size_t>(threads, count));
  Pipeline pipeline(count, std::size_t{threads} + 2, produce, consume);
  {
    std::vector<std::jthread> pool;
    for (unsigned t = 1; t < threads; ++t) pool.emplace_back([&] { pipeline.work(); });
    pipeline.work();
  }
  pipeline.finish();
}

}  // namespace dstore
