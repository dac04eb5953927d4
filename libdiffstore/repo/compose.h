#pragma once

#include <string>
#include <vector>

#include "object/delta_table.h"
#include "repo/align.h"
#include "repo/model_files.h"
#include "repo/revision.h"

namespace dstore {

/// The shards of base+task: the base's shards with their layout, tensors under the delta's names, new tensors in one
/// more shard. A base in the single file model.safetensors becomes model-00001-of-00002 with the new tensors in
/// -00002-of-00002, since loaders prefer model.safetensors to an index; a sharded base keeps its file names and gets
/// model-added.safetensors. `infos` are the tensors of the result. No digests are set.
std::vector<ShardFile> compose_shards(const std::vector<ShardFile>& base, const DeltaTable& delta, const std::vector<TensorInfo>& infos);

/// model.safetensors.index.json for these shards; empty if none is needed (a single model.safetensors).
Bytes make_index(const std::vector<ShardFile>& shards);

/// How the tensors of `result` come from those of `from`, by their names, dtypes and shapes alone, for compose_shards().
DeltaTable name_delta(const TensorSource& from, const TensorSource& result, const std::vector<Pairing>& pairs);

/// Shards, side files and index of out.source() on the files of `base`: `own` are the side files of the task that `delta` is of.
void compose_files(const ModelFiles& base, const std::map<std::string, PlainFile>& own, const DeltaTable& delta, ModelFiles& out);

inline constexpr std::string_view kIndexFile = "model.safetensors.index.json";

/// A revision's files and the commits they come from, whose signatures were judged (Error{untrusted} otherwise).
struct LoadedRevision {
  ModelFiles files;
  std::vector<CheckedCommit> commits;  ///< the task (or only) commit first; of what is computed all, in the order of the text
};

/// One commit, or base+task; open_revision() takes what is computed, too. For base+task: Error{conflict} unless the task's base has the same weights as the base given; it names both ids, the
/// first tensor that differs and the revision that fits, if there is one.
LoadedRevision load_revision(const Repository& repository, const Revision& revision);

/// The folder of the adapter that the revision's only commit was made from. Error{invalid_argument} if there is none.
LoadedRevision load_adapter(const Repository& repository, const Revision& revision);

/// The same model in one file, model.safetensors.
void join_shards(ModelFiles& files);

}  // namespace dstore
