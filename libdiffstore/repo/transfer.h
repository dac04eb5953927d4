#pragma once

#include <string>
#include <vector>

#include "base/room.h"
#include "repo/publish.h"
#include "repo/write_delta.h"

namespace dstore {

/// A remote that was opened: a directory with packs/, refs/ and config, the same bytes as in a repository.
/// URL: a path, or file:///path. Error{remote} if it is not there, {unsupported} for another scheme.
Repository open_remote(Filesystem& fs, const std::string& url, bool create);

/// The remote of that name in the configuration. Error{not_found} if there is none.
Repository open_named_remote(const Repository& local, const std::string& name);

struct TransferReport {
  struct Ref {
    std::string name;
    ObjectId before, after;
  };
  std::vector<Ref> refs;           ///< those that moved
  std::size_t up_to_date = 0;
  std::uint64_t objects = 0;       ///< sent or received
  std::uint64_t bytes = 0;         ///< of them, as stored
  std::size_t forgotten = 0;         ///< records of forgotten commits that travelled
  std::size_t evaluations = 0;       ///< that travelled, of whatever commits both have
  std::size_t untrusted_evaluations = 0;  ///< fetch: left there, as no trusted key has signed them
  std::vector<std::string> skipped;  ///< refs that name a forgotten commit
};

struct TransferOptions {
  bool force = false;           ///< push: also where it is no fast-forward
  bool allow_unsigned = false;  ///< fetch: take commits without a signature
  Notice notice{};              ///< told the sizes of a large transfer
};

/// Copies everything that `commits` need and `to` lacks (copy_commits.h). Durable on return.
TransferReport copy_missing(const Repository& from, Repository& to, const std::vector<ObjectId>& commits, const Progress& progress,
                            const Notice& notice = {});

/// Objects first, then each ref by create-if-absent of its next entry, signed for the remote's repository id.
/// `refs` empty: every branch and tag. Error{conflict} where the remote has commits that we have not.
TransferReport push(Repository& local, const std::string& remote_name, const std::vector<RefName>& refs,
                    const Committer& committer, const TransferOptions& options, const Progress& progress);

/// Fetches every ref of the remote into its mirror `remotes/NAME`. Before anything is copied, the signature of each new
/// commit is judged, and the remote's ref history must continue the one seen last (a rollback is Error{untrusted}).
TransferReport fetch(Repository& local, const std::string& remote_name, const TransferOptions& options, const Progress& progress);

/// After a fetch: local branches and tags that the remote has moved on are fast-forwarded, missing ones made.
/// Error{conflict} names the branches that have diverged (the others are moved).
TransferReport fast_forward(Repository& local, const std::string& remote_name, const std::vector<RefName>& refs, const Committer& committer);

/// For `clone --trust`: adds the key with this fingerprint to the user's trust if it signed one of the remote's heads.
/// Error{untrusted} if none of them is signed by it.
void trust_fingerprint(Repository& local, const std::string& remote_name, const std::string& fingerprint);

}  // namespace dstore
