#include "repo/transfer.h"

#include <algorithm>
#include <set>

#include "base/mutant.h"
#include "dstore/error.h"
#include "object/chunked.h"
#include "repo/history.h"
#include "repo/model_files.h"

namespace dstore {
namespace {

/// Copies the closure of commits, leaves first.
class Copier {
 public:
  Copier(const Repository& from, Repository& to, const Progress& progress)
      : from_(from), to_(to), session_(to.store().begin_write()), progress_(progress) {}

  /// The commit with all it needs: what it names comes first (an explicit stack: histories are long).
  void add_commit(const ObjectId& head) {
    std::vector<std::pair<ObjectId, bool>> stack{{head, false}};
    while (!stack.empty()) {
      const auto [id, needs_are_there] = stack.back();
      stack.pop_back();
      if (needs_are_there) {
        add_checkpoint(from_.read_commit(id));
        copy_signatures(id);
        copy(id);
      } else if (to_.store().contains(id)) {
        copy_signatures(id);
      } else if (seen_.insert(id).second) {
        const Commit commit = from_.read_commit(id);
        stack.emplace_back(id, true);
        for (const ObjectId& parent : commit.parents) stack.emplace_back(parent, false);
        for (const ObjectId& source : commit.derived_from) stack.emplace_back(source, false);
        if (commit.base) stack.emplace_back(*commit.base, false);
      }
    }
  }

  TransferReport finish() {
    session_.commit();
    TransferReport report;
    report.objects = session_.objects_added();
    report.bytes = session_.bytes_stored();
    return report;
  }

 private:
  void copy_signatures(const ObjectId& commit) {
    for (const ObjectId& id : from_.store().signatures_of(commit)) copy(id);
  }

  void add_checkpoint(const Commit& commit) {
    const CheckpointTable checkpoint = read_checkpoint(from_, commit);
    for (const auto& shard : checkpoint.shards) add_file(shard.header);
    for (const auto& file : checkpoint.files) add_file(file.file);
    if (commit.is_task()) {
      const DeltaTable delta = read_delta(from_, commit);
      for (const ObjectId& segment : delta.segments) copy(segment);
      for (const ObjectId& id : delta.stored_tensors()) add_tensor(id);
      add_weights(delta.base_weights);
      copy(*commit.delta);
    } else {
      add_weights(checkpoint.weights);
    }
    copy(commit.checkpoint);
  }

  void add_weights(const ObjectId& id) {
    if (to_.store().contains(id) || seen_.count(id) > 0) return;
    const WeightsTable table = WeightsTable::parse(from_.store().read(ObjectKind::weights, id), "weights " + id.short_hex());
    for (const WeightsTable::Row& row : table.rows) add_tensor(row.tensor);
    copy(id);
  }

  void add_tensor(const ObjectId& id) {
    if (to_.store().contains(id) || seen_.count(id) > 0) return;
    for (const ObjectId& chunk : TensorObject::parse(from_.store().read(ObjectKind::tensor, id), "tensor " + id.short_hex()).chunks) copy(chunk);
    copy(id);
  }

  void add_file(const ObjectId& id) {
    if (to_.store().contains(id) || seen_.count(id) > 0) return;
    for (const ObjectId& chunk : FileObject::parse(from_.store().read(ObjectKind::file, id), "file " + id.short_hex()).chunks) copy(chunk);
    copy(id);
  }

  void copy(const ObjectId& id) {
    if (copied_.insert(id).second == false) return;
    seen_.insert(id);
    if (to_.store().contains(id)) return;
    session_.add_stored(from_.store().read_stored(id));
    if (progress_) progress_(session_.bytes_stored(), 0);
  }

  const Repository& from_;
  Repository& to_;
  PackSession session_;
  const Progress& progress_;
  std::set<ObjectId> seen_;
  std::set<ObjectId> copied_;
};

const std::string& remote_url(const Repository& local, const std::string& name) {
  const auto it = local.config().remotes.find(name);
  if (it != local.config().remotes.end()) return it->second;
  throw Error(ErrorCode::not_found, "no remote is called " + printable(name) + "; `dstore remote add " + printable(name) + " PATH` makes it");
}

/// The entries of a remote's ref that we have not seen yet. Error{untrusted} where those that we have seen are gone.
std::vector<RefEntry> unseen_entries(const Repository& local, const std::string& remote_name, const RefLog& remote_refs, const RefName& ref) {
  const auto known = local.remote_refs(remote_name).head(ref);
  std::vector<RefEntry> entries = remote_refs.entries(ref);
  const std::uint64_t have = known ? known->sequence : 0;
  if (have > entries.size() || (have > 0 && entries[have - 1].digest() != known->digest() && !mutant("replaced-history-accepted"))) {
    throw Error(ErrorCode::untrusted, "remote " + remote_name + ": the history of " + ref.text() +
                                          " no longer contains what was seen before: somebody rolled it back or replaced it");
  }
  entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(have));
  return entries;
}

void mirror_entries(Repository& local, const std::string& remote_name, const std::vector<RefEntry>& entries) {
  RefLog mirror = local.remote_refs(remote_name);
  for (const RefEntry& entry : entries) {
    if (!mirror.append(entry)) throw Error(ErrorCode::conflict, "another fetch from " + remote_name + " is running; try again");
  }
}

void judge_ref_entry(const Repository& local, const RefEntry& entry, const std::string& remote_name, const TransferOptions& options) {
  std::vector<Bytes> blobs;
  const std::string what = "remote " + remote_name + ", ref " + entry.ref.text();
  if (!entry.signature.empty()) blobs.push_back(dearmor(entry.signature, what));
  const std::string payload = entry.payload();
  const Verification verification = local.trust().check(blobs, kRefNamespace, as_bytes(payload));
  if (verification.verdict == Verdict::unsigned_ && options.allow_unsigned) return;
  verification.require_good(what);
}

/// Every commit that would be new here, judged by this user's trust.
void judge_commits(const Repository& local, const Repository& remote, const ObjectId& head, const TransferOptions& options) {
  std::set<ObjectId> seen;
  std::vector<ObjectId> stack{head};
  while (!stack.empty()) {
    const ObjectId id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second || local.store().contains(id)) continue;
    const Bytes bytes = remote.store().read(ObjectKind::commit, id);
    const Commit commit = Commit::parse(bytes, "commit " + id.short_hex());
    const Verification verification = local.trust().check(remote.signature_blobs(id), kCommitNamespace, bytes);
    if (verification.verdict != Verdict::unsigned_ || !options.allow_unsigned) verification.require_good("commit " + id.short_hex());
    stack.insert(stack.end(), commit.parents.begin(), commit.parents.end());
    stack.insert(stack.end(), commit.derived_from.begin(), commit.derived_from.end());
    if (commit.base) stack.push_back(*commit.base);
  }
}

/// An empty folder, or what a process left that was killed while it made a repository: empty packs/ and tmp/, no config.
bool may_become_repository(Filesystem& fs, const std::string& path) {
  for (const std::string& name : fs.list(path)) {
    if (name.starts_with(".tmp-")) continue;
    const auto info = fs.stat(join_path(path, name), false);
    const bool empty_folder = info && info->type == FileInfo::Type::directory && fs.list(join_path(path, name)).empty();
    if ((name != "packs" && name != "tmp") || !empty_folder) return false;
  }
  return true;
}

std::vector<RefEntry> chosen_heads(const RefLog& log, const std::vector<RefName>& refs, const std::string& where) {
  std::vector<RefEntry> heads = log.heads();
  if (refs.empty()) return heads;
  std::vector<RefEntry> out;
  for (const RefName& ref : refs) {
    const auto it = std::find_if(heads.begin(), heads.end(), [&](const RefEntry& head) { return head.ref == ref; });
    if (it == heads.end()) throw Error(ErrorCode::not_found, where + " has no branch or tag " + ref.text());
    out.push_back(*it);
  }
  return out;
}

}  // namespace

Repository open_remote(Filesystem& fs, const std::string& url, bool create) {
  std::string path = url;
  if (url.starts_with("file://")) {
    path = url.substr(7);
  } else if (url.find("://") != std::string::npos) {
    throw Error(ErrorCode::unsupported, "remote " + printable(url) + ": only folders (a path or file:///PATH) are supported yet");
  }
  // A repository's working folder stands for its store.
  if (Repository::is_repository(fs, join_path(path, kStoreFolder))) path = join_path(path, kStoreFolder);
  if (Repository::is_repository(fs, path)) return Repository::open(fs, path, IndexMode::memory);
  if (!create) throw Error(ErrorCode::remote, "remote " + printable(url) + ": no repository there (is it mounted?)");
  if (!exists(fs, parent_path(path))) throw Error(ErrorCode::remote, "remote " + printable(url) + ": there is no folder " + printable(parent_path(path)));
  const auto info = fs.stat(path, true);
  if (info && (info->type != FileInfo::Type::directory || !may_become_repository(fs, path))) {
    throw Error(ErrorCode::remote, "remote " + printable(url) + ": exists and is not a dstore repository; give an empty or new folder");
  }
  return Repository::create(fs, path, IndexMode::memory);
}

TransferReport copy_missing(const Repository& from, Repository& to, const std::vector<ObjectId>& commits, const Progress& progress) {
  Copier copier(from, to, progress);
  for (const ObjectId& commit : commits) copier.add_commit(commit);
  return copier.finish();
}

TransferReport push(Repository& local, const std::string& remote_name, const std::vector<RefName>& refs,
                    const Committer& committer, const TransferOptions& options, const Progress& progress) {
  std::vector<RefEntry> heads = chosen_heads(local.refs(), refs, "this repository");
  // A remote that was there before is not made anew: it is an unmounted disk or a typo.
  const bool may_create = local.remote_refs(remote_name).list().empty();
  Repository remote = open_remote(local.fs(), remote_url(local, remote_name), may_create);
  RefLog remote_refs = remote.refs();
  std::vector<std::pair<RefEntry, ObjectId>> moves;  // our head, the remote's commit
  std::size_t up_to_date = 0;
  for (RefEntry& head : heads) {
    const std::vector<RefEntry> unseen = unseen_entries(local, remote_name, remote_refs, head.ref);
    const auto theirs = remote_refs.head(head.ref);
    const ObjectId present = theirs ? theirs->new_commit : ObjectId();
    if (present == head.new_commit) {
      ++up_to_date;
      mirror_entries(local, remote_name, unseen);
      continue;
    }
    const bool forward = present.is_none() || (local.store().contains(present) &&
        is_ancestor([&](const ObjectId& id) { return local.read_commit(id); }, present, head.new_commit));
    if (head.kind == RefKind::tag && !present.is_none()) {
      throw Error(ErrorCode::conflict, "push of " + head.ref.text() + ": the remote has this tag at " + present.short_hex() + "; a tag never moves, give yours another name");
    }
    if (!forward && !options.force) {
      throw Error(ErrorCode::conflict, "push of " + head.ref.text() + ": the remote is at " + present.short_hex() +
                                           ", which is not in this branch's history; `dstore pull` first (or --force)");
    }
    moves.emplace_back(std::move(head), present);
  }
  std::vector<ObjectId> commits;
  for (const auto& [head, present] : moves) commits.push_back(head.new_commit);
  TransferReport report = copy_missing(local, remote, commits, progress);
  report.up_to_date = up_to_date;
  for (const auto& [head, present] : moves) {
    if (!move_ref(remote.refs(), remote.config().repository, head.ref, head.kind, present, head.new_commit, committer)) {
      throw Error(ErrorCode::conflict, "push of " + head.ref.text() + ": somebody else pushed meanwhile; `dstore pull` and push again");
    }
    report.refs.push_back({head.ref.text(), present, head.new_commit});
    std::vector<RefEntry> unseen = unseen_entries(local, remote_name, remote_refs, head.ref);
    while (!unseen.empty() && unseen.back().new_commit != head.new_commit) unseen.pop_back();  // later ones are for a fetch to judge
    mirror_entries(local, remote_name, unseen);
  }
  return report;
}

TransferReport fetch(Repository& local, const std::string& remote_name, const TransferOptions& options, const Progress& progress) {
  const Repository remote = open_remote(local.fs(), remote_url(local, remote_name), false);
  const RefLog remote_refs = remote.refs();
  const RefLog mirror = local.remote_refs(remote_name);
  std::set<RefName> names;
  for (const RefName& ref : remote_refs.list()) names.insert(ref);
  for (const RefName& ref : mirror.list()) names.insert(ref);  // one that vanished was rolled back to nothing
  std::vector<ObjectId> commits;
  std::vector<std::vector<RefEntry>> news;  // exactly what is judged here gets into the mirror
  TransferReport refs;
  for (const RefName& ref : names) {
    std::vector<RefEntry> unseen = unseen_entries(local, remote_name, remote_refs, ref);
    const auto known = mirror.head(ref);
    const ObjectId before = known ? known->new_commit : ObjectId();
    const ObjectId after = unseen.empty() ? before : unseen.back().new_commit;
    if (!unseen.empty()) judge_ref_entry(local, unseen.back(), remote_name, options);
    if (before == after) {
      if (!after.is_none()) ++refs.up_to_date;
    } else if (!after.is_none()) {
      judge_commits(local, remote, after, options);
      commits.push_back(after);
      refs.refs.push_back({ref.text(), before, after});
    }
    news.push_back(std::move(unseen));
  }
  TransferReport report = copy_missing(remote, local, commits, progress);
  for (const std::vector<RefEntry>& entries : news) mirror_entries(local, remote_name, entries);
  report.refs = std::move(refs.refs);
  report.up_to_date = refs.up_to_date;
  return report;
}

TransferReport fast_forward(Repository& local, const std::string& remote_name, const std::vector<RefName>& refs, const Committer& committer) {
  TransferReport report;
  std::string diverged;
  for (const RefEntry& theirs : chosen_heads(local.remote_refs(remote_name), refs, "remote " + remote_name)) {
    const auto ours = local.refs().head(theirs.ref);
    const ObjectId present = ours ? ours->new_commit : ObjectId();
    if (ours && ours->is_deletion() && refs.empty()) continue;  // deleted here on purpose; name it to have it back
    const auto read = [&](const ObjectId& id) { return local.read_commit(id); };
    const bool fixed = ours && ours->kind == RefKind::tag;  // a tag never moves
    if (present == theirs.new_commit || (!present.is_none() && !fixed && is_ancestor(read, theirs.new_commit, present))) {
      ++report.up_to_date;
      continue;
    }
    if ((!present.is_none() && (fixed || !is_ancestor(read, present, theirs.new_commit))) ||
        !move_ref(local.refs(), local.config().repository, theirs.ref, theirs.kind, present, theirs.new_commit, committer)) {
      diverged += (diverged.empty() ? "" : ", ") + theirs.ref.text();
      continue;
    }
    report.refs.push_back({theirs.ref.text(), present, theirs.new_commit});
  }
  if (!diverged.empty()) {
    throw Error(ErrorCode::conflict, "diverged from the remote, left as they are: " + diverged + "; the remote's state is " + remote_name + "/NAME");
  }
  return report;
}

void trust_fingerprint(Repository& local, const std::string& remote_name, const std::string& fingerprint) {
  const Repository remote = open_remote(local.fs(), remote_url(local, remote_name), false);
  for (const RefEntry& head : remote.refs().heads()) {
    const Bytes bytes = remote.store().read(ObjectKind::commit, head.new_commit);
    const Commit commit = Commit::parse(bytes, "commit " + head.new_commit.short_hex());
    if (local.trust().trust_pinned(fingerprint, remote.signature_blobs(head.new_commit), kCommitNamespace, bytes,
                                   principal_from_author(commit.author))) {
      return;
    }
  }
  throw Error(ErrorCode::untrusted, "no commit at the head of a branch of " + remote_name + " is signed by " + fingerprint);
}

}  // namespace dstore
