#pragma once

#include <optional>

#include "repo/repository.h"
#include "repo/temporary_folder.h"

namespace dstore {

/// A store for objects that only this process needs, in the repository's tmp/, or where nothing can be written there in $TMPDIR.
/// It goes with this object; what a killed process leaves in tmp/ is garbage there.
class ScratchStore {
 public:
  explicit ScratchStore(const Repository& repository);

  ObjectStore& store() { return store_; }

 private:
  std::optional<Lease> lease_;  ///< the folder's name begins with its own (odb/leftovers.h)
  TemporaryFolder folder_;
  ObjectStore store_;
};

}  // namespace dstore
