#pragma once

#include <functional>

#include "call_filesystem.h"
#include "memory_filesystem.h"
#include "operations.h"

namespace dstore::test {

/// The disk after each call of an operation that changed it, and how much had been acknowledged by then.
struct Recording {
  struct Moment {
    Disk disk;
    std::size_t acknowledged;
    DiskCall call;
  };
  std::vector<Moment> moments;
  std::vector<Acknowledged> all;

  std::vector<Acknowledged> acknowledged_by(const Moment& moment) const {
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(moment.acknowledged)};
  }
};

/// Calls for which `skip` says so are reported as done and are not.
inline Recording record(const Operation& operation, const std::function<bool(const DiskCall&)>& skip = {}) {
  MemoryFilesystem memory(scene().disk);
  Recording made;
  CallFilesystem fs(memory, [&](const DiskCall& call, const auto& run, const auto&) {
    if (!skip || !skip(call)) run();
    made.moments.push_back({memory.disk(), made.all.size(), call});
  });
  operation.run(fs, [&](const Acknowledged& done) { made.all.push_back(done); });
  made.moments.push_back({memory.disk(), made.all.size(), {DiskCall::Kind::write, ""}});  // the end, all acknowledged
  return made;
}

}  // namespace dstore::test
