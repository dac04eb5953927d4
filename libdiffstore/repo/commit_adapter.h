#pragma once

#include "repo/commit_task.h"

namespace dstore {

/// Whether this is a folder as PEFT saves one: adapter_config.json beside adapter_model.safetensors, and no other model.
bool is_adapter_folder(const CheckpointFolder& folder);

/// A PEFT folder as a task of a base: its folded weights (docs/adapters.md), and the folder itself, which a checkout gives back byte for
/// byte. Errors as for parse_adapter_config() and fold_adapter(); {invalid_argument} if the base is a task.
CommitReport commit_adapter(Repository& repository, const CheckpointFolder& folder, const ObjectId& base, const std::string& message, Profile profile,
                            const RefName& branch, const Committer& committer, const Progress& progress);

}  // namespace dstore
