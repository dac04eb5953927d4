#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "object/checkpoint_table.h"
#include "repo/repository.h"
#include "repo/stored_weights.h"
#include "tensor/safetensors.h"

namespace dstore {

/// One safetensors file that a checkout writes.
struct ShardFile {
  std::string path;
  SafetensorsHeader header;
  std::optional<ObjectId> sha256;  ///< of the whole file, where a commit recorded it

  std::uint64_t bytes() const { return header.raw.size() + header.data_bytes(); }
};

/// A side file: stored, or made here (an index).
struct PlainFile {
  std::optional<ObjectId> file;
  Bytes content;  ///< used if `file` is not set
};

/// Everything a checkout of one revision writes: the weights and the files around them.
struct ModelFiles {
  std::unique_ptr<StoredWeights> weights;  ///< of one commit; null where they are computed from several
  std::unique_ptr<TensorSource> computed;  ///< set instead of `weights`
  std::vector<ShardFile> shards;           ///< sorted by path
  std::map<std::string, PlainFile> files;  ///< by path
  std::optional<ObjectId> task;            ///< delta's commit, for messages and records

  const TensorSource& source() const { return computed ? *computed : *weights; }
};

/// The files of one commit, exactly as it was committed.
ModelFiles load_commit_files(const Repository& repository, const Commit& commit);
/// The files of the folder that the commit's adapter is; it has one.
ModelFiles load_adapter_files(const Repository& repository, const Commit& commit);

/// What tells contents of a side file apart; none where there is no such file.
std::optional<ObjectId> file_digest(const ModelFiles& files, const std::string& path);
/// "tokenizer.json 0123456789 (ours), 9876543210 (theirs)": why embeddings have other rows. Empty where neither has a tokenizer.
std::string tokenizer_text(const ModelFiles& a, std::string_view a_name, const ModelFiles& b, std::string_view b_name);

/// The commit's checkpoint table, or any.
CheckpointTable read_checkpoint(const Repository& repository, const Commit& commit);
CheckpointTable read_checkpoint(const Repository& repository, const ObjectId& checkpoint);
DeltaTable read_delta(const Repository& repository, const Commit& commit);
/// Error{invalid_argument} unless the commit is a task.
void require_task(const CheckedCommit& commit, std::string_view name);

/// The weights that a base or task commit stands for.
std::unique_ptr<StoredWeights> load_weights(const Repository& repository, const Commit& commit);

}  // namespace dstore
