#include "repo/disk_usage.h"

#include <unordered_map>
#include <unordered_set>

#include "dstore/error.h"
#include "repo/closure.h"
#include "repo/forgotten.h"
#include "repo/reachable.h"

namespace dstore {
namespace {

constexpr std::uint64_t kRecordFraming = layout::kRecordHeaderSize + layout::kTrailerEntrySize;
constexpr std::size_t kShared = static_cast<std::size_t>(-1);

/// Who uses an object: the index of a ref, or kShared.
using Owners = std::unordered_map<ObjectId, std::size_t>;

struct Records {
  std::unordered_map<ObjectId, std::uint64_t> bytes;  ///< of the first copy of each object, framing included
  std::vector<ObjectId> bases;                        ///< commits
};

Records read_records(const Repository& repository, DiskUsage& usage, const std::unordered_set<ObjectId>& used) {
  Records records;
  for (const ObjectId& name : repository.store().packs()) {
    const auto file = repository.fs().open(repository.path("packs/" + pack_file_name(name)), OpenMode::read_store);
    const std::uint64_t size = file->info().size;
    usage.total += size;
    std::vector<PackEntry> entries;
    try {
      entries = read_trailer(*file, name);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::corrupt) throw;
      usage.unreadable += size;
      continue;
    }
    std::uint64_t framing = size;
    for (const PackEntry& entry : entries) {
      const std::uint64_t bytes = entry.stored_size + kRecordFraming;
      framing -= bytes;
      if (!used.contains(entry.id)) {
        usage.garbage += bytes;
      } else if (!records.bytes.emplace(entry.id, bytes).second) {
        usage.copies += bytes;
      } else if (entry.kind == ObjectKind::commit) {
        records.bases.push_back(entry.id);
      }
    }
    usage.framing += framing;
  }
  return records;
}

}  // namespace

DiskUsage disk_usage(const Repository& repository) {
  const std::set<ObjectId> forgotten = forgotten_commits(repository);
  DiskUsage usage;
  Closure all(repository, forgotten);
  for (const ObjectId& root : collection_roots(repository, {})) all.add_commit(root);
  const Records records = read_records(repository, usage, all.ids());
  const auto bytes_of = [&](const ObjectId& id) {
    const auto found = records.bytes.find(id);
    return found == records.bytes.end() ? 0 : found->second;
  };

  Owners owners;
  std::vector<std::uint64_t> whole;
  for (const RefEntry& head : repository.refs().heads()) {
    Closure own(repository, forgotten);
    own.add_commit(head.new_commit);
    std::uint64_t sum = 0;
    for (const ObjectId& id : own.ids()) {
      sum += bytes_of(id);
      const auto [place, fresh] = owners.emplace(id, usage.refs.size());
      if (!fresh) place->second = kShared;
    }
    whole.push_back(sum);
    usage.refs.push_back({head.ref.text(), head.new_commit, 0, 0});
  }
  for (const auto& [id, owner] : owners) {
    if (owner == kShared) {
      usage.shared += bytes_of(id);
    } else {
      usage.refs[owner].exclusive += bytes_of(id);
      usage.exclusive += bytes_of(id);
    }
  }
  for (std::size_t i = 0; i < usage.refs.size(); ++i) usage.refs[i].shared = whole[i] - usage.refs[i].exclusive;

  Closure bases(repository, forgotten);
  for (const ObjectId& id : records.bases) {
    const Commit commit = repository.read_commit(id);
    if (!commit.is_task() && !forgotten.contains(id)) bases.add_content(commit);
  }
  for (const auto& [id, bytes] : records.bytes) {
    if (!owners.contains(id)) usage.elsewhere += bytes;
    (bases.contains(id) ? usage.bases : usage.tasks) += bytes;
  }
  return usage;
}

}  // namespace dstore
