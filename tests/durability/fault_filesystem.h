#pragma once

#include <unistd.h>

#include "durability/call_filesystem.h"
#include "dstore/error.h"

namespace dstore::test {

/// The real disk, counting the calls that change it; one of them ends the process or fails.
class FaultFilesystem : public CallFilesystem {
 public:
  enum class Fault {
    none,
    kill,       ///< the process ends before the call
    tear_kill,  ///< the process ends in the middle of a write, else after the call
    error,      ///< this call fails, later ones work
    disk_full,  ///< this call and every later one that needs space fail; writes leave half behind
    cut,        ///< this call and all later ones throw, as if the process had ended
  };

  FaultFilesystem(Fault fault = Fault::none, int at = 0)
      : CallFilesystem(posix_filesystem(), [this, fault, at](const DiskCall& call, const Run& run, const Run& half) {
          const bool now = ++calls_ == at;
          if (now && fault == Fault::kill) _exit(0);
          if (now && fault == Fault::error) throw Error(ErrorCode::io, "injected: Input/output error");
          const bool after = at != 0 && calls_ >= at;
          if (after && fault == Fault::cut) throw Error(ErrorCode::io, "injected: the process ended");
          if (after && fault == Fault::disk_full && call.kind != DiskCall::Kind::remove) {
            half();
            throw Error(ErrorCode::io, "injected: No space left on device");
          }
          const bool torn = now && fault == Fault::tear_kill;
          torn && call.kind == DiskCall::Kind::write ? half() : run();
          if (torn) _exit(0);
        }) {}

  int calls() const { return calls_; }

 private:
  int calls_ = 0;
};

}  // namespace dstore::test
