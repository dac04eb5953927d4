#include "repo/transfer.h"

#include <algorithm>
#include <set>

#include "base/mutant.h"
#include "dstore/error.h"
#include "repo/copy_commits.h"
#include "repo/evaluations.h"
#include "repo/forgotten.h"
#include "repo/history.h"

namespace dstore {
namespace {

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
void judge_commits(const Repository& local, const Repository& remote, const ObjectId& head, const std::set<ObjectId>& forgotten,
                   const TransferOptions& options) {
  std::set<ObjectId> seen;
  std::vector<ObjectId> stack{head};
  while (!stack.empty()) {
    const ObjectId id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second || local.store().contains(id)) continue;
    if (forgotten.contains(id) && !remote.store().contains(id)) continue;
    const Bytes bytes = remote.store().read(ObjectKind::commit, id);
    const Commit commit = Commit::parse(bytes, "commit " + id.short_hex());
    const Verification verification = local.trust().check(remote.signature_blobs(id), kCommitNamespace, bytes);
    if (verification.verdict != Verdict::unsigned_ || !options.allow_unsigned) verification.require_good("commit " + id.short_hex());
    stack.insert(stack.end(), commit.parents.begin(), commit.parents.end());
    stack.insert(stack.end(), commit.derived_from.begin(), commit.derived_from.end());
    if (commit.base) stack.push_back(*commit.base);
  }
}

/// By this user's trust. Another's evaluation is no reason to refuse the commits.
bool is_trusted_evaluation(const Repository& local, const Repository& remote, const ObjectId& id, const TransferOptions& options) {
  const Bytes bytes = remote.store().read(ObjectKind::evaluation, id);
  const Verdict verdict = local.trust().check(remote.signature_blobs(id), kEvaluationNamespace, bytes).verdict;
  return verdict == Verdict::good || (verdict == Verdict::unsigned_ && options.allow_unsigned);
}

/// An empty folder, or what a process left that was killed while it made a repository: empty packs/, tmp/ and leases/, no config.
bool may_become_repository(Filesystem& fs, const std::string& path) {
  for (const std::string& name : fs.list(path)) {
    if (name.starts_with(".tmp-")) continue;
    const auto info = fs.stat(join_path(path, name), false);
    const bool empty_folder = info && info->type == FileInfo::Type::directory && fs.list(join_path(path, name)).empty();
    if ((name != "packs" && name != "tmp" && name != "leases") || !empty_folder) return false;
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

Repository open_named_remote(const Repository& local, const std::string& name) {
  return open_remote(local.fs(), remote_url(local, name), false);
}

namespace {

/// Durable on return. Evaluations that `accept` refuses stay behind.
TransferReport copy_missing(const Repository& from, Repository& to, CommitKeeper& keeper, const std::vector<ObjectId>& commits, const std::set<ObjectId>& forgotten,
                            const Progress& progress, const Notice& notice, const std::function<bool(const ObjectId&)>& accept = {}) {
  PackSession session = to.store().begin_write();
  copy_commits(from, session, keeper, commits, forgotten, progress, notice);
  TransferReport report;
  report.evaluations = copy_evaluations(from, to, session, forgotten, accept);
  session.commit();
  report.objects = session.objects_added();
  report.bytes = session.bytes_stored();
  return report;
}

/// Records of forgotten commits travel with every push.
void push_forgotten(Repository& local, const std::string& remote_name, const Repository& remote, const Committer& committer, TransferReport& report) {
  for (const RefEntry& record : local.refs().forgotten()) {
    const auto theirs = remote.refs().head(record.ref);
    if (theirs && !theirs->is_deletion()) continue;
    if (!move_ref(remote.refs(), remote.config().repository, record.ref, RefKind::forgotten, ObjectId(), record.new_commit, committer)) continue;
    mirror_entries(local, remote_name, unseen_entries(local, remote_name, remote.refs(), record.ref));
    ++report.forgotten;
  }
}

}  // namespace

TransferReport copy_missing(const Repository& from, Repository& to, const std::vector<ObjectId>& commits, const Progress& progress, const Notice& notice) {
  CommitKeeper keeper(to);
  std::set<ObjectId> forgotten = forgotten_commits(from);
  forgotten.merge(forgotten_commits(to));
  return copy_missing(from, to, keeper, commits, forgotten, progress, notice);
}

TransferReport push(Repository& local, const std::string& remote_name, const std::vector<RefName>& refs,
                    const Committer& committer, const TransferOptions& options, const Progress& progress) {
  std::vector<RefEntry> heads = chosen_heads(local.refs(), refs, "this repository");
  // A remote that was there before is not made anew: it is an unmounted disk or a typo.
  const bool may_create = local.remote_refs(remote_name).list().empty();
  Repository remote = open_remote(local.fs(), remote_url(local, remote_name), may_create);
  const Lease here = local.store().lease(), there = remote.store().lease();
  RefLog remote_refs = remote.refs();
  std::set<ObjectId> forgotten = forgotten_there(local, remote_refs);
  forgotten.merge(forgotten_commits(local));
  std::vector<std::string> skipped;
  std::vector<std::pair<RefEntry, ObjectId>> moves;  // our head, the remote's commit
  std::size_t up_to_date = 0;
  for (RefEntry& head : heads) {
    if (forgotten.contains(head.new_commit)) {
      skipped.push_back(head.ref.text());
      continue;
    }
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
  CommitKeeper keeper(remote);
  TransferReport report = copy_missing(local, remote, keeper, commits, forgotten, progress, options.notice);
  report.up_to_date = up_to_date;
  report.skipped = std::move(skipped);
  for (const auto& [head, present] : moves) {
    if (!move_ref(remote.refs(), remote.config().repository, head.ref, head.kind, present, head.new_commit, committer)) {
      throw Error(ErrorCode::conflict, "push of " + head.ref.text() + ": somebody else pushed meanwhile; `dstore pull` and push again");
    }
    report.refs.push_back({head.ref.text(), present, head.new_commit});
    std::vector<RefEntry> unseen = unseen_entries(local, remote_name, remote_refs, head.ref);
    while (!unseen.empty() && unseen.back().new_commit != head.new_commit) unseen.pop_back();  // later ones are for a fetch to judge
    mirror_entries(local, remote_name, unseen);
  }
  push_forgotten(local, remote_name, remote, committer, report);
  return report;
}

namespace {

/// What is read from the remote stays there meanwhile, if we may write there at all.
std::optional<Lease> try_lease(const Repository& remote) {
  try {
    return remote.store().lease();
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

TransferReport fetch(Repository& local, const std::string& remote_name, const TransferOptions& options, const Progress& progress) {
  const Repository remote = open_named_remote(local, remote_name);
  const Lease here = local.store().lease();
  const std::optional<Lease> there = try_lease(remote);
  const RefLog remote_refs = remote.refs();
  std::set<ObjectId> forgotten = forgotten_there(local, remote_refs);
  forgotten.merge(forgotten_commits(local));
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
    if (is_forgotten_name(ref)) {
      if (before != after) ++refs.forgotten;
    } else if (before == after) {
      if (!after.is_none()) ++refs.up_to_date;
    } else if (!after.is_none()) {
      judge_commits(local, remote, after, forgotten, options);
      commits.push_back(after);
      refs.refs.push_back({ref.text(), before, after});
    }
    news.push_back(std::move(unseen));
  }
  CommitKeeper keeper(local);
  const auto accept = [&](const ObjectId& id) {
    const bool good = is_trusted_evaluation(local, remote, id, options);
    if (!good) ++refs.untrusted_evaluations;
    return good;
  };
  TransferReport report = copy_missing(remote, local, keeper, commits, forgotten, progress, options.notice, accept);
  report.untrusted_evaluations = refs.untrusted_evaluations;
  for (const std::vector<RefEntry>& entries : news) mirror_entries(local, remote_name, entries);
  report.refs = std::move(refs.refs);
  report.forgotten = refs.forgotten;
  report.up_to_date = refs.up_to_date;
  return report;
}

TransferReport fast_forward(Repository& local, const std::string& remote_name, const std::vector<RefName>& refs, const Committer& committer) {
  TransferReport report;
  std::string diverged;
  const Lease lease = local.store().lease();
  const std::set<ObjectId> forgotten = forgotten_commits(local);
  for (const RefEntry& theirs : chosen_heads(local.remote_refs(remote_name), refs, "remote " + remote_name)) {
    const auto ours = local.refs().head(theirs.ref);
    const ObjectId present = ours ? ours->new_commit : ObjectId();
    if (forgotten.contains(theirs.new_commit)) {
      report.skipped.push_back(theirs.ref.text());
      continue;
    }
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
  const Repository remote = open_named_remote(local, remote_name);
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
