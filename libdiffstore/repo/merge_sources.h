#pragma once

#include <memory>
#include <string>
#include <vector>

#include "repo/merged_source.h"
#include "repo/open_task.h"

namespace dstore {

/// A model that takes part in a merge, as the user typed it.
struct MergeSource {
  ObjectId commit;  ///< none where it is computed
  std::string text;
  std::string statistics{};  ///< path of a statistics file (spec/merging.md), for methods that need one
  std::optional<Revision> computed{};
};

/// What a user typed as a model of a merge: a commit, base+task (which is the task), or what is computed. Errors as of resolve_revision()
/// and, for base+task, load_revision().
MergeSource find_merge_source(const Repository& repository, const std::string& text);

/// The sources of a merge, looked up: all of one base.
struct MergeSources {
  struct Model {
    std::vector<CheckedCommit> commits;  ///< it, or those that it is computed from
    bool is_task = false;
    std::optional<OpenTask> computed{};  ///< its weights are the input's
  };
  std::vector<Model> models;
  ObjectId base;  ///< the commit
  std::unique_ptr<StoredWeights> base_weights;
  std::vector<MergeInput> inputs;
};

/// What becomes of tensors that differ from the base's in the number of rows alone, such as embeddings of another vocabulary.
enum class MergeRows { refuse, common };

/// Error{conflict} for other bases and refused rows, {invalid_argument} where there is no task among them; of what is computed as open_revision().
MergeSources load_merge_sources(const Repository& repository, const std::vector<MergeSource>& sources, MergeRows rows, const Progress& progress);
/// Shards and side files of one of them, or of the base. No weights.
ModelFiles load_merge_files(const Repository& repository, const MergeSources& sources, std::optional<std::size_t> model);

/// Whose tensors that the base lacks are taken: of the one model that has such, of a certain one, none.
enum class MergeHeads { single, of_model, none };

/// The model with tensors of its own, or the first task: its files say what the result is (labels, architecture).
MergeShape choose_merge_shape(const MergeSources& sources, MergeHeads heads, std::size_t heads_of);

/// Error{invalid_argument} unless the method merges so many.
void check_merge_models(const MergeMethod& method, std::size_t models);
/// Error{invalid_argument} for weights that sum to 0 where the method divides by the sum.
void check_merge_weights(const MergeMethod& method, const MergeSettings& settings);

}  // namespace dstore
