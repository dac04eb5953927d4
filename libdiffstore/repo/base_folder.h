#pragma once

#include "repo/repository.h"
#include "tensor/checkpoint_folder.h"

namespace dstore {

/// The weights that a task is a difference from, or a base's own.
ObjectId base_weights(const Repository& repository, const Commit& commit);

/// For this process, reads the chunks of the base that `commit` (a base, or a task) needs from a plain folder. Every chunk
/// is proved when it is read. Error{conflict} where the folder has not the tensors of that base.
void attach_base(Repository& repository, const CheckpointFolder& folder, const Commit& commit);

}  // namespace dstore
