#include "repo/store_commit.h"

#include "sign/signature_object.h"

namespace dstore {

ObjectId store_commit(const Repository& repository, PackSession& session, CommitKeeper& keeper, const std::set<ObjectId>& forgotten, Commit commit,
                      const Committer& committer) {
  std::vector<ObjectId> named = commit.parents;
  named.insert(named.end(), commit.derived_from.begin(), commit.derived_from.end());
  if (commit.base) named.push_back(*commit.base);
  copy_commits(repository, session, keeper, named, forgotten, {});
  commit.author = committer.author;
  commit.time = committer.time;
  const std::string text = commit.serialize();
  const ObjectId id = session.add(ObjectKind::commit, as_bytes(text));
  if (committer.key != nullptr) {
    const SignatureObject signature{id, sign_message(*committer.key, kCommitNamespace, as_bytes(text))};
    session.add(ObjectKind::signature, signature.serialize());
  }
  return id;
}

}  // namespace dstore
