#include "repo/reachable.h"

#include <algorithm>

#include "base/json.h"
#include "dstore/error.h"
#include "repo/forgotten.h"

namespace dstore {
namespace {

void add_old_entries(const RefLog& log, const KeepHistory& keep, std::vector<ObjectId>& out) {
  if (keep.last <= 1) return;
  for (const RefName& ref : log.list()) {
    const std::vector<RefEntry> entries = log.entries(ref);
    const std::size_t first = entries.size() - std::min<std::size_t>(entries.size(), keep.last);
    for (std::size_t i = first; i < entries.size(); ++i) {
      if (entries[i].kind != RefKind::forgotten && !entries[i].is_deletion()) out.push_back(entries[i].new_commit);
    }
  }
}

/// The commits that trainings started from which are in `place`: "staged" or "runs".
void add_bases(const Repository& repository, const char* place, std::vector<ObjectId>& out) {
  Filesystem& fs = repository.fs();
  const std::string folder = repository.path(place);
  if (!exists(fs, folder)) return;
  for (const std::string& name : fs.list(folder)) {
    const std::string path = join_path(join_path(folder, name), "base.json");
    if (!exists(fs, path)) continue;
    const Json json = Json::parse(read_text_file(fs, path, OpenMode::read_store), printable(path));
    out.push_back(ObjectId::parse(json.at("base").string(), printable(path)));
  }
}

}  // namespace

std::vector<ObjectId> collection_roots(const Repository& repository, const KeepHistory& keep) {
  const std::set<ObjectId> forgotten = forgotten_commits(repository);
  std::vector<ObjectId> roots, optional_roots;
  for (const RefEntry& head : repository.refs().heads()) {
    if (!repository.store().contains(head.new_commit) && !forgotten.contains(head.new_commit)) {
      throw Error(ErrorCode::corrupt, head.ref.text() + " names commit " + head.new_commit.short_hex() + ", which is missing; see `dstore verify`");
    }
    roots.push_back(head.new_commit);
  }
  for (const RefLog& mirror : repository.mirrors()) {
    for (const RefEntry& head : mirror.heads()) optional_roots.push_back(head.new_commit);
  }
  for (const char* place : {"staged", "runs"}) add_bases(repository, place, optional_roots);
  add_old_entries(repository.refs(), keep, optional_roots);
  for (const ObjectId& root : optional_roots) {
    if (repository.store().contains(root)) roots.push_back(root);
  }
  return roots;
}

Reachable::Reachable(const Repository& repository, KeepHistory keep) : repository_(repository), keep_(keep), closure_(repository, {}) {}

void Reachable::mark(const std::vector<ObjectId>& kept) {
  closure_.forget(forgotten_commits(repository_));
  std::vector<ObjectId> roots = collection_roots(repository_, keep_);
  for (const ObjectId& commit : kept) {
    if (repository_.store().contains(commit)) roots.push_back(commit);
  }
  for (const ObjectId& root : roots) {
    try {
      closure_.add_commit(root);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::io) throw;
      throw Error(ErrorCode::corrupt, std::string(error.what()) + "; commit " + root.short_hex() +
                                          " needs it, so nothing can be told to be garbage: repair first (`dstore verify` lists the damage)");
    }
  }
}

bool Reachable::is_dead(const PackEntry& entry) const {
  return entry.kind != ObjectKind::evaluation && !closure_.contains(entry.id);
}

void Reachable::keep(const PackEntry& entry) {
  try {
    closure_.add_object(entry.kind, entry.id);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::io) throw;  // a damaged table names nothing that could be kept
  }
}

}  // namespace dstore
