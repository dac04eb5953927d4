#pragma once

#include "object/checkpoint_table.h"
#include "repo/link_folder.h"
#include "repo/write_delta.h"
#include "tensor/checkpoint_folder.h"

namespace dstore {

/// Every object that a folder as a base checkpoint is made of, up to the checkpoint's table (which is not stored). With
/// `links`, chunks of tensors and of large side files are not stored but noted there. Error{conflict} if a shard changed
/// meanwhile.
CheckpointTable store_checkpoint(PackSession& session, Filesystem& fs, const CheckpointFolder& folder, const Progress& progress,
                                 LinkFolder* links = nullptr);

/// Upper estimate of the bytes that it stores: everything is new.
std::uint64_t largest_size(const CheckpointFolder& folder, bool linked);
/// The same, each chunk of tensors counted once and none that `store` has in packs; hashes the whole folder.
std::uint64_t missing_size(const ObjectStore& store, const CheckpointFolder& folder);

/// Stores headers and side files of a folder. The weights id and the shards' digests are the caller's to set.
CheckpointTable write_folder_files(PackSession& session, Filesystem& fs, const CheckpointFolder& folder, LinkFolder* links = nullptr);
/// What the shards' files look like; compared before a commit, so that a folder somebody still writes to is refused.
std::vector<FileInfo> shard_stamps(Filesystem& fs, const CheckpointFolder& folder);
/// Error{conflict} unless the files are as they were.
void require_same_shards(Filesystem& fs, const CheckpointFolder& folder, const std::vector<FileInfo>& before);

}  // namespace dstore
