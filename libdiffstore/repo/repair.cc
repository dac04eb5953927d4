#include "repo/repair.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/room.h"
#include "dstore/error.h"
#include "repo/repair_refs.h"
#include "repo/store_checkpoint.h"
#include "repo/transfer.h"

namespace dstore {
namespace {

class RepositorySource : public RepairSource {
 public:
  explicit RepositorySource(Repository source) : source_(std::move(source)) {}

  void supply(PackSession& session, const std::set<ObjectId>& wanted, const Progress& progress) override {
    for (const ObjectId& id : wanted) {
      if (!source_.store().contains(id)) continue;
      try {
        session.add_stored(source_.store().read_stored(id));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::not_found) throw;
        continue;  // damaged there, too
      }
      supply_signatures(session, id);
      for (const ObjectId& evaluation : source_.store().evaluations_of(id)) {
        supply_attached(session, evaluation);
        supply_signatures(session, evaluation);
      }
      if (progress) progress(session.bytes_stored(), 0);
    }
  }

  std::vector<RefLog> logs() const override {
    std::vector<RefLog> all = source_.mirrors();
    all.push_back(source_.refs());
    return all;
  }

 private:
  void supply_signatures(PackSession& session, const ObjectId& id) {
    for (const ObjectId& signature : source_.store().signatures_of(id)) supply_attached(session, signature);
  }

  /// A commit that is fetched comes with its signatures and evaluations: nothing else names them.
  void supply_attached(PackSession& session, const ObjectId& id) {
    try {
      session.add_stored(source_.store().read_stored(id));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::not_found) throw;
    }
  }

  Repository source_;
};

class FolderSource : public RepairSource {
 public:
  FolderSource(Filesystem& fs, const std::string& folder) : fs_(fs), folder_(fs, folder) {}

  void supply(PackSession& session, const std::set<ObjectId>& wanted, const Progress& progress) override {
    session.store_only(wanted);
    CheckpointTable table = store_checkpoint(session, fs_, folder_, progress);
    session.add(ObjectKind::checkpoint, table.serialize());
  }

 private:
  Filesystem& fs_;
  CheckpointFolder folder_;
};

class Repair {
 public:
  Repair(Repository& repository, const FsckReport& found, RepairSource& source, const Progress& progress)
      : repository_(repository), source_(source), progress_(progress), missing_(found.missing), heads_(found.heads) {
    for (const StoreProblem& problem : found.damage) {
      if (problem.place == StoreProblem::Place::pack) {
        bad_packs_.insert(problem.pack);
        if (problem.kind) bad_records_[problem.pack].insert(problem.id);
      } else if (problem.place == StoreProblem::Place::link) {
        std::set<ObjectId>& rows = bad_links_[problem.link];
        if (problem.kind) rows.insert(problem.id);
      }
    }
  }

  RepairReport run(const Notice& notice) {
    std::uint64_t bytes = 0;
    for (const ObjectId& pack : bad_packs_) bytes += repository_.fs().stat(store().pack_path(pack), false).value_or(FileInfo{}).size;
    require_room(repository_.fs(), repository_.directory(), bytes, "the repair", notice);
    // A pack that is written anew may get the very name of a damaged one, and its place: the bytes are kept before.
    std::map<ObjectId, Remains> remains;
    for (const ObjectId& pack : bad_packs_) remains.emplace(pack, open_remains(pack));
    for (const auto& [pack, each] : remains) {
      if (!each.complete) copy_remains(each);
    }
    missing_ = find_missing_objects(repository_, heads_);
    fetch();
    replace_packs(remains);
    for (const auto& [name, rows] : bad_links_) replace_link(name, rows);
    return std::move(report_);
  }

 private:
  ObjectStore& store() { return repository_.store(); }

  /// Whether any copy can be read.
  bool is_whole(const ObjectId& id) {
    const auto entry = store().find(id);
    if (!entry) return false;
    if (entry->linked) return is_whole_link(id, entry->raw_size);  // read() would look through all packs
    try {
      store().read(entry->kind, id);
      return true;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::io) throw;
      return false;
    }
  }

  bool is_whole_link(const ObjectId& id, std::uint64_t size) {
    try {
      Bytes bytes(size);
      return store().links().read(id, bytes);
    } catch (const Error&) {
      return false;
    }
  }

  std::set<ObjectId> wanted() {
    std::set<ObjectId> ids;
    for (const auto& [pack, records] : bad_records_) ids.insert(records.begin(), records.end());
    for (const auto& [link, rows] : bad_links_) ids.insert(rows.begin(), rows.end());
    std::erase_if(ids, [&](const ObjectId& id) { return is_whole(id); });
    for (const auto& gap : missing_.gaps) ids.insert(gap.id);
    return ids;
  }

  /// Until nothing more comes: a commit that was fetched shows what it needs.
  void fetch() {
    std::set<ObjectId> before;
    for (std::set<ObjectId> ids = wanted(); !ids.empty() && ids != before; ids = wanted()) {
      before = ids;
      PackSession session = store().begin_write();
      session.distrust(bad_packs_);
      source_.supply(session, ids, progress_);
      session.commit();
      count(session);
      missing_ = find_missing_objects(repository_, heads_);
    }
  }

  void count(const PackSession& session) {
    report_.objects += session.objects_added();
    report_.bytes += session.bytes_stored();
  }

  /// What is left of a damaged pack.
  struct Remains {
    std::string aside;  ///< second name of the file
    std::unique_ptr<File> file;
    std::vector<PackEntry> entries;
    bool complete = true;  ///< the entries are all that the pack had
  };

  Remains open_remains(const ObjectId& pack) {
    Remains remains{store().set_aside(pack), nullptr, {}};
    remains.file = repository_.fs().open(remains.aside, OpenMode::read_store);
    try {
      remains.entries = read_trailer(*remains.file, pack);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::corrupt) throw;
      remains.complete = false;
      remains.entries = salvage_records(*remains.file);
    }
    return remains;
  }

  static std::optional<StoredObject> read_remains(const Remains& remains, const PackEntry& entry) {
    try {
      read_object(*remains.file, entry);
      return StoredObject{entry.kind, entry.id, entry.codec, entry.raw_size, read_record(*remains.file, entry)};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::corrupt) throw;
      return std::nullopt;
    }
  }

  /// Copies the whole records into new packs.
  void copy_remains(const Remains& remains) {
    PackSession session = store().begin_write();
    session.distrust(bad_packs_);
    for (const PackEntry& entry : remains.entries) {
      if (const auto object = read_remains(remains, entry)) session.add_stored(*object);
      if (progress_) progress_(session.bytes_stored(), 0);
    }
    session.commit();
    count(session);
  }

  /// Why the pack must stay; "" if all of it is whole elsewhere now.
  std::string replace_pack(const ObjectId& name, const Remains& remains) {
    const std::string path = printable(store().pack_path(name)) + ": stays, as ";
    std::set<ObjectId> lost = bad_records_[name];  // of a pack without trailer: what the index knew
    for (const PackEntry& entry : remains.entries) {
      if (read_remains(remains, entry)) {
        lost.erase(entry.id);
      } else {
        lost.insert(entry.id);
      }
    }
    std::erase_if(lost, [&](const ObjectId& id) { return is_whole(id); });
    if (!lost.empty()) return path + "nothing else has " + lost.begin()->short_hex() + (lost.size() > 1 ? " and " + std::to_string(lost.size() - 1) + " more of its objects" : "");
    if (!remains.complete && !missing_.gaps.empty()) return path + "objects are missing that may be in it";
    if (remains.complete) copy_remains(remains);
    return "";
  }

  void replace_packs(const std::map<ObjectId, Remains>& all) {
    for (const auto& [name, remains] : all) {
      const std::string problem = replace_pack(name, remains);
      if (problem.empty()) {
        store().drop_pack(name);
        report_.quarantined.push_back(remains.aside);
      } else {
        repository_.fs().remove(remains.aside);
        report_.left.push_back(problem);
      }
    }
  }

  /// The link without what is stored now takes the place of the bad one.
  void replace_link(const std::string& name, const std::set<ObjectId>& bad) {
    LinkedFiles& links = store().links();
    const auto all = links.entries();
    const auto entry = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
    if (entry == all.end()) return;
    const std::string path = printable(repository_.path("links/" + name));
    if (!entry->link) {
      if (!missing_.gaps.empty()) return report_.left.push_back(path + ": stays, as objects are missing that may be named in it");
      return report_.quarantined.push_back(links.quarantine(name));
    }
    LinkFile rest = *entry->link;
    std::size_t lost = 0;
    for (const ObjectId& id : bad) {
      const auto found = store().find(id);
      if (!found || found->linked) ++lost;
    }
    if (lost > 0) return report_.left.push_back(printable(rest.path) + ": stays linked, as nothing else has " + std::to_string(lost) + " of its chunks");
    std::erase_if(rest.rows, [&](const LinkFile::Row& row) { return bad.contains(row.id); });
    if (!rest.rows.empty()) {
      const LinkFile now = describe_file(repository_.fs(), rest.path);
      rest.size = now.size;
      rest.mtime_ns = now.mtime_ns;
      rest.inode = now.inode;
      rest.sha256 = ObjectId();
      links.add(rest);
    }
    report_.quarantined.push_back(links.quarantine(name));
  }

  Repository& repository_;
  RepairSource& source_;
  const Progress& progress_;
  MissingObjects missing_;
  const std::vector<ObjectId> heads_;
  std::set<ObjectId> bad_packs_;
  std::map<ObjectId, std::set<ObjectId>> bad_records_;    ///< by pack
  std::map<std::string, std::set<ObjectId>> bad_links_;  ///< bad chunks by the link's name
  RepairReport report_;
};

}  // namespace

std::unique_ptr<RepairSource> open_repair_source(const Repository& repository, const std::string& name) {
  Filesystem& fs = repository.fs();
  const auto remote = repository.config().remotes.find(name);
  if (remote != repository.config().remotes.end()) return std::make_unique<RepositorySource>(open_remote(fs, remote->second, false));
  const bool is_url = name.find("://") != std::string::npos;
  if (is_url || Repository::is_repository(fs, name) || Repository::is_repository(fs, join_path(name, kStoreFolder))) {
    return std::make_unique<RepositorySource>(open_remote(fs, name, false));
  }
  if (!fs.stat(name, true)) throw Error(ErrorCode::not_found, printable(name) + ": no remote is called so, and no folder is there");
  return std::make_unique<FolderSource>(fs, name);
}

RepairReport repair(Repository& repository, const FsckReport& found, RepairSource& source, const Progress& progress, const Notice& notice) {
  RepairReport report = Repair(repository, found, source, progress).run(notice);
  repair_refs(repository, found.damaged_refs, source.logs(), report);
  return report;
}

}  // namespace dstore
