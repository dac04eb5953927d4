#include "repo/commit_patch.h"

#include "repo/commit_edits.h"

namespace dstore {

CommitReport commit_patch(Repository& repository, const SparsePatch& patch, const ObjectId& base_id, const std::string& message, Profile profile,
                          const RefName& branch, const Committer& committer, const Progress& progress) {
  const EditedBase base = load_edited_base(repository, base_id, "a sparse patch");
  const EditedSource result(*base.files.weights, patch.edits(*base.files.weights, base.files.weights->weights_id()));
  PackSession session = repository.store().begin_write(profile);
  return commit_edits(repository, session, base, result, {message, {{"method", "patch"}, {"patch", patch.layout()}}, {}, {}}, branch, committer, progress);
}

}  // namespace dstore
