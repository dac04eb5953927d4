#pragma once

#include <map>
#include <set>
#include <string>

#include "base/room.h"
#include "repo/checkout_record.h"
#include "repo/model_files.h"
#include "repo/write_delta.h"
#include "tensor/checkpoint_folder.h"

namespace dstore {

/// What a checked-out folder is to become.
struct FolderTarget {
  ModelFiles files;            ///< all shards, and the side files that it must have; unchanged ones are not written
  std::set<std::string> keep;  ///< files of the folder that stay besides
  CheckoutRecord record;       ///< without files
  const StoredWeights* old = nullptr;  ///< what the folder holds now
  bool old_is_base = false;    ///< files.weights reads its base from the folder: the pieces' checksums judge what is there
  std::map<std::string, std::string> old_names;  ///< of tensors that have another name in the folder
};

struct ChangeOptions {
  bool verify = false;   ///< hash every file before, and every tensor of what was changed afterwards
  unsigned threads = 0;
  Notice notice{};
};

struct ChangeReport {
  std::uint64_t changed = 0;      ///< bytes that are others now, in files patched in place
  std::size_t patched = 0;        ///< files
  std::size_t written = 0;        ///< files written anew
  std::uint64_t written_bytes = 0;
  std::size_t removed = 0;
  std::size_t kept = 0;
  std::uint64_t undo_bytes = 0;   ///< what is kept to take it back
};

/// Changes a checked-out folder into `target`. Shards whose header stays have the pages rewritten that differ, in place; all
/// else is written beside and renamed. Everything is decoded and verified before the first page is written; killed at any
/// moment, the folder is as before or as after when the next command looks at it; what was overwritten is kept for
/// unapply(). Error{conflict}, and nothing is written, where files are not as `before` says. The caller has the lock.
/// `source` is the folder, opened.
ChangeReport change_folder(const Repository& repository, const CheckpointFolder& source, const CheckoutRecord& before, const FolderTarget& target,
                           const ChangeOptions& options, const Progress& progress);

}  // namespace dstore
