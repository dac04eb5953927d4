#include "odb/collect.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>
#include <unordered_set>

#include "base/mutant.h"
#include "dstore/error.h"
#include "odb/collect_plan.h"
#include "odb/condemned.h"
#include "odb/leftovers.h"
#include "odb/reserve.h"
#include "odb/store_state.h"

namespace dstore {
namespace {

constexpr std::chrono::milliseconds kPoll{20};

/// DIR/gc.lock, held while this lives.
std::unique_ptr<File> lock_collection(Filesystem& fs, const std::string& dir) {
  const std::string path = join_path(dir, "gc.lock");
  auto file = fs.open(path, OpenMode::open_or_create);
  bool locked = false, works = false;
  try {
    locked = file->try_lock(LockMode::exclusive);
    works = !locked || lock_excludes(fs, path);
  } catch (const Error&) {
    // works stays false
  }
  if (!works) {
    throw Error(ErrorCode::unsupported, printable(dir) + ": locks do nothing on this file system, so writers cannot be noticed and nothing may be deleted; "
                                                         "run it on a machine where the folder is a local disk");
  }
  if (!locked) throw Error(ErrorCode::conflict, printable(dir) + ": another gc, repack or forget is running; try again when it is done");
  return file;
}

std::vector<ObjectId> commits_kept(const std::vector<LeaseInfo>& leases) {
  std::vector<ObjectId> out;
  for (const LeaseInfo& lease : leases) out.insert(out.end(), lease.keeps.begin(), lease.keeps.end());
  return out;
}

/// Waits until no writer is at work that began before `generation`; returns those that still are when the time is over.
std::vector<LeaseInfo> wait_for_writers(Filesystem& fs, const std::string& dir, std::uint64_t generation, const CollectOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  bool told = false;
  for (;;) {
    std::vector<LeaseInfo> older = live_leases(fs, dir);
    std::erase_if(older, [&](const LeaseInfo& lease) { return lease.generation >= generation || mutant("gc-ignores-leases"); });
    const auto waited = std::chrono::steady_clock::now() - start;
    if (older.empty() || waited >= std::chrono::seconds(options.wait_seconds)) return older;
    if (!told && waited > std::chrono::seconds(1) && options.notice) {
      options.notice("waiting for " + older.front().holder + ", which is writing");
      told = true;
    }
    std::this_thread::sleep_for(kPoll);
  }
}

/// Leaves before what names them; a commit's signatures and evaluations before the commit.
int level(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::chunk:
    case ObjectKind::segment: return 0;
    case ObjectKind::tensor:
    case ObjectKind::file: return 1;
    case ObjectKind::weights: return 2;
    case ObjectKind::delta: return 3;
    case ObjectKind::checkpoint: return 4;
    case ObjectKind::evaluation:
    case ObjectKind::signature: return 5;
    case ObjectKind::commit: break;
  }
  return 6;
}

struct Move {
  const PackContent* pack;
  const PackEntry* entry;
};

std::vector<Move> moves_of(const std::vector<PackContent>& packs, const std::set<ObjectId>& victims, const Liveness& liveness) {
  std::vector<Move> moves;
  for (const PackContent& pack : packs) {
    if (!victims.contains(pack.name)) continue;
    for (const PackEntry& entry : pack.entries) {
      if (!liveness.is_dead(entry)) moves.push_back({&pack, &entry});
    }
  }
  std::stable_sort(moves.begin(), moves.end(), [](const Move& a, const Move& b) { return level(a.entry->kind) < level(b.entry->kind); });
  return moves;
}

}  // namespace

/// One run, after its lock.
class Collection {
 public:
  Collection(ObjectStore& store, ObjectStore::State& state, Liveness& liveness, const CollectOptions& options)
      : store_(store), state_(state), liveness_(liveness), options_(options) {}

  CollectReport run() {
    state_.roll_forward();
    const Leftovers leftovers(state_.fs, state_.dir);
    if (!options_.dry_run) report_.leftovers = leftovers.remove_temporaries();
    liveness_.mark(commits_kept(live_leases(state_.fs, state_.dir)));
    packs_ = read_packs();
    keep_what_stays([](const PackContent& pack) { return !pack.whole; });
    count_bytes_before();
    report_.bytes_after = report_.bytes_before;
    std::set<ObjectId> victims = choose_victims(packs_, liveness_, options_, std::nullopt);
    Condemned condemned = read_condemned(state_.fs, state_.dir);
    if (options_.dry_run) {
      estimate(victims);
      return std::move(report_);
    }
    if (!condemned.packs.empty()) {
      // What an earlier collection gave up waiting for, under its number: writers that began since know of these packs, so
      // those that overlap without end do not keep them for ever.
      std::set<ObjectId> earlier;
      std::set_intersection(victims.begin(), victims.end(), condemned.packs.begin(), condemned.packs.end(), std::inserter(earlier, earlier.end()));
      if (earlier.empty()) {
        write_condemned(state_.fs, state_.dir, {condemned.generation, {}, false});
      } else if (options_.earlier_first && a_new_generation_waits(condemned.generation)) {
        if (!remove_condemned(condemned, std::move(earlier))) return std::move(report_);
        victims.clear();  // the second look has kept what the others name: they are the next collection's
      }
    }
    if (!victims.empty()) {
      ++condemned.generation;
      if (!remove_condemned(condemned, std::move(victims))) return std::move(report_);
    }
    remove_links();
    keep_reserve(state_.fs, state_.dir);
    report_.leftovers += leftovers.remove_atomic_files();
    return std::move(report_);
  }

 private:
  /// Whether writers are at work that do not know what would be condemned now.
  bool a_new_generation_waits(std::uint64_t present) const {
    const auto leases = live_leases(state_.fs, state_.dir);
    return std::any_of(leases.begin(), leases.end(), [&](const LeaseInfo& lease) { return lease.generation <= present; });
  }

  /// Condemns the victims under that generation and deletes them. False: older writers are at work.
  bool remove_condemned(Condemned& condemned, std::set<ObjectId> victims) {
    const auto write = [&](bool deleting) {
      condemned.packs.assign(victims.begin(), victims.end());
      condemned.deleting = deleting;
      write_condemned(state_.fs, state_.dir, condemned);
    };
    write(false);
    report_.waiting = wait_for_writers(state_.fs, state_.dir, condemned.generation, options_);
    if (!report_.waiting.empty()) return false;
    write(true);  // before the leases are asked a last time what they keep
    if (!mutant("gc-without-second-look")) look_again(victims);
    if (victims.size() != condemned.packs.size()) write(true);  // fewer of them: nobody who knew the longer list is wronged
    remove_victims(victims);
    victims.clear();
    write(false);
    return true;
  }

  /// Packs with their trailers.
  std::vector<PackContent> read_packs() {
    std::vector<PackContent> out;
    report_.left_alone.clear();
    for (const ObjectId& name : state_.list_packs()) {
      PackContent pack{name, 0, {}, true};
      const auto file = state_.fs.open(state_.pack_path(name), OpenMode::read_store);
      pack.bytes = file->info().size;
      try {
        pack.entries = read_trailer(*file, name);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::corrupt) throw;
        report_.left_alone.push_back(error.what());
        pack.entries = scan_records(*file);
        pack.whole = false;
      }
      out.push_back(std::move(pack));
    }
    return out;
  }

  void count_bytes_before() {
    report_.bytes_before = 0;
    for (const PackContent& pack : packs_) report_.bytes_before += pack.bytes;
  }

  /// Objects that stay, alive or not, must find there what they name.
  void keep_what_stays(const std::function<bool(const PackContent&)>& stays) {
    for (const PackContent& pack : packs_) {
      if (!stays(pack)) continue;
      for (const PackEntry& entry : pack.entries) {
        if (!is_leaf(entry.kind) && liveness_.is_dead(entry)) liveness_.keep(entry);
      }
    }
  }

  /// The writers that could not know of the condemned packs are done: what they have left behind counts too.
  void look_again(std::set<ObjectId>& victims) {
    state_.roll_forward();
    liveness_.mark(commits_kept(live_leases(state_.fs, state_.dir)));
    packs_ = read_packs();
    if (report_.packs_deleted.empty()) count_bytes_before();
    keep_what_stays([&](const PackContent& pack) { return !victims.contains(pack.name); });
    victims = choose_victims(packs_, liveness_, options_, victims);
  }

  void remove_victims(std::set<ObjectId> victims) {
    count_removed(victims);
    std::set<ObjectId> empty;
    for (const PackContent& pack : packs_) {
      const bool all_dead = std::all_of(pack.entries.begin(), pack.entries.end(), [&](const PackEntry& e) { return liveness_.is_dead(e); });
      if (all_dead && victims.contains(pack.name)) empty.insert(pack.name);
    }
    // First what gives room without taking any.
    delete_packs(empty);
    for (const ObjectId& name : empty) victims.erase(name);
    copy_live(victims);
    delete_packs(victims);
    report_.bytes_after = 0;
    for (const ObjectId& name : state_.list_packs()) {
      if (const auto info = state_.fs.stat(state_.pack_path(name), false)) report_.bytes_after += info->size;
    }
  }

  void copy_live(std::set<ObjectId>& victims) {
    const std::vector<Move> moves = moves_of(packs_, victims, liveness_);
    if (moves.empty()) return;
    std::uint64_t total = 0, done = 0;
    for (const Move& move : moves) total += move.entry->stored_size;
    PackSession session = store_.begin_write(options_.profile.value_or(Profile::fast), options_.pack_target);
    for (const Move& move : moves) {
      try {
        copy(session, move);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::corrupt) throw;
        if (is_whole_elsewhere(session, *move.entry)) continue;
        if (victims.erase(move.pack->name) > 0) report_.left_alone.push_back(error.what());
      }
      done += move.entry->stored_size;
      if (options_.progress) options_.progress(done, total);
    }
    // Its packs are on the disk but for the last one.
    if (mutant("gc-unlinks-before-copies-are-published")) delete_packs(victims);
    const auto written = session.commit();
    report_.packs_written.insert(report_.packs_written.end(), written.begin(), written.end());
  }

  void copy(PackSession& session, const Move& move) {
    const PackEntry& entry = *move.entry;
    if (options_.profile && entry.kind == ObjectKind::chunk) {
      const Bytes raw = state_.with_pack(move.pack->name, [&](File& file) { return read_object(file, entry); });
      session.add(entry.kind, raw, options_.layout ? options_.layout(entry.id) : std::nullopt);
      return;
    }
    Bytes stored = state_.with_pack(move.pack->name, [&](File& file) { return read_record(file, entry); });
    session.add_stored({entry.kind, entry.id, entry.codec, entry.raw_size, std::move(stored)});
  }

  /// A copy of a damaged object outside of the packs that go, or in this session.
  bool is_whole_elsewhere(const PackSession& session, const PackEntry& entry) {
    if (!session.has(entry.id)) return false;
    try {
      store_.read(entry.kind, entry.id);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  /// The index before the files: a row never leads to a pack that this process knows to be gone.
  void delete_packs(const std::set<ObjectId>& names) {
    if (names.empty()) return;
    // The packs that take their place first: an index that has neither would make every reader look for itself.
    state_.ask([](ObjectIndex& i) { i.flush(); });
    state_.ask([&](ObjectIndex& i) { i.remove({names.begin(), names.end()}); });
    for (const ObjectId& name : names) {
      state_.forget_pack(name);
      if (mutant("gc-unlinks-before-copies-are-published") && !exists(state_.fs, state_.pack_path(name))) continue;
      state_.fs.remove(state_.pack_path(name));
      report_.packs_deleted.push_back(name);
    }
    state_.fs.sync_directory(state_.packs_dir());
    state_.roll_forward();
  }

  /// Links none of whose chunks is alive, if no writer is at work that may rely on them.
  void remove_links() {
    if (!live_leases(state_.fs, state_.dir).empty()) return;
    report_.links_removed = state_.links.remove([&](const LinkFile& link) {
      return std::all_of(link.rows.begin(), link.rows.end(), [&](const LinkFile::Row& row) {
        return liveness_.is_dead({row.id, ObjectKind::chunk, Codec::none, row.size, row.size, 0, 0});
      });
    }).size();
  }

  /// Dead objects that lie in no pack that stays.
  void count_removed(const std::set<ObjectId>& victims) {
    std::unordered_set<ObjectId> counted;
    for (const PackContent& pack : packs_) {
      if (victims.contains(pack.name)) continue;
      for (const PackEntry& entry : pack.entries) {
        if (liveness_.is_dead(entry)) counted.insert(entry.id);
      }
    }
    for (const PackContent& pack : packs_) {
      if (!victims.contains(pack.name)) continue;
      for (const PackEntry& entry : pack.entries) {
        if (!liveness_.is_dead(entry) || !counted.insert(entry.id).second) continue;
        CollectReport::Amount& amount = report_.removed[entry.kind];
        ++amount.objects;
        amount.bytes += entry.stored_size;
      }
    }
  }

  void estimate(const std::set<ObjectId>& victims) {
    count_removed(victims);
    report_.packs_deleted.assign(victims.begin(), victims.end());
    std::unordered_set<ObjectId> there;
    for (const PackContent& pack : packs_) {
      if (victims.contains(pack.name)) {
        report_.bytes_after -= pack.bytes;
        continue;
      }
      for (const PackEntry& entry : pack.entries) there.insert(entry.id);
    }
    for (const Move& move : moves_of(packs_, victims, liveness_)) {
      if (there.insert(move.entry->id).second) {
        report_.bytes_after += layout::kRecordHeaderSize + move.entry->stored_size + layout::kTrailerEntrySize;
      }
    }
  }

  ObjectStore& store_;
  ObjectStore::State& state_;
  Liveness& liveness_;
  const CollectOptions& options_;
  std::vector<PackContent> packs_;
  CollectReport report_;
};

CollectReport ObjectStore::collect(Liveness& liveness, const CollectOptions& options) {
  const auto lock = lock_collection(state_->fs, state_->dir);
  return Collection(*this, *state_, liveness, options).run();
}

}  // namespace dstore
