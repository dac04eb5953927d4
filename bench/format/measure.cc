#include "measure.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>

namespace dstore::bench {
namespace {

std::int64_t nanoseconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::int64_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::int64_t kibibytes = 0;
  while (status >> word) {
    if (word == "RssAnon:") status >> kibibytes;
  }
  return kibibytes * 1024;
}

}  // namespace

std::int64_t cpu_nanoseconds() { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }
std::int64_t wall_nanoseconds() { return nanoseconds(CLOCK_MONOTONIC); }

void Rounds::time(const std::string& name, const std::function<void()>& body, bool wall) {
  const std::int64_t wall_start = wall_nanoseconds();
  const std::int64_t start = cpu_nanoseconds();
  body();
  times_[name].push_back(cpu_nanoseconds() - start);
  if (wall) times_[name + "_wall"].push_back(wall_nanoseconds() - wall_start);
}

void Rounds::into(Json& result) const {
  for (const auto& [name, times] : times_) result.set(name, Json(Json::Array(times.begin(), times.end())));
}

AnonymousPeak::AnonymousPeak() : start_(anonymous_bytes()), peak_(start_) {
  thread_ = std::thread([this] {
    while (!done_) {
      peak_ = std::max(peak_.load(), anonymous_bytes());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
}

AnonymousPeak::~AnonymousPeak() {
  done_ = true;
  thread_.join();
}

std::int64_t AnonymousPeak::bytes() const { return std::max(peak_.load(), anonymous_bytes()) - start_; }

}  // namespace dstore::bench
