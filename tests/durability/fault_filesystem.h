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
  };

  FaultFilesystem(Fault fault = Fault::none, int at = 0)
      : CallFilesystem(posix_filesystem(), [this, fault, at](const DiskCall& call, const Run& run, const Run& half) {
          const bool now = ++calls_ == at;
          if (now && fault == Fault::kill) _exit(0);
          if (now && fault == Fault::error) throw Error(ErrorCode::io, "injected: Input/output error");
          const bool torn = now && fault == Fault::tear_kill;
          torn && call.kind == DiskCall::Kind::write ? half() : run();
          if (torn) _exit(0);
        }) {}

  int calls() const { return calls_; }

 private:
  int calls_ = 0;
};

}  // namespace dstore::test
