#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "base/json.h"

namespace dstore::bench {

std::int64_t cpu_nanoseconds();   ///< of the process
std::int64_t wall_nanoseconds();

/// One JSON array of nanoseconds for each of several actions that take turns: what disturbs one disturbs all.
class Rounds {
 public:
  /// Runs `body` once and adds its times to `name` and, where `wall` is set, to NAME_wall.
  void time(const std::string& name, const std::function<void()>& body, bool wall = false);
  /// Adds the times to an object.
  void into(Json& result) const;

 private:
  std::map<std::string, std::vector<std::int64_t>> times_;
};

/// The largest RssAnon (memory that is no file's) of this process while the object lives, looked at every millisecond.
class AnonymousPeak {
 public:
  AnonymousPeak();
  ~AnonymousPeak();
  /// Bytes above what the process had at construction.
  std::int64_t bytes() const;

 private:
  std::int64_t start_;
  std::atomic<std::int64_t> peak_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace dstore::bench
