#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "base/parallel.h"
#include "dstore/error.h"
#include "odb/pack_format.h"
#include "odb/store_state.h"

namespace dstore {
namespace {

constexpr std::uint64_t kBatchBytes = 256 << 20;  ///< of packs, checked by all threads together
constexpr std::size_t kBatchPacks = 64;           ///< open at once

struct PackCheck {
  ObjectId name;
  std::unique_ptr<File> file{};
  std::vector<PackEntry> entries{};
  bool good = true;
};

/// Adds to what is done and tells; a finding waits for its turn.
class Tally {
 public:
  Tally(const VerifyOptions& options, std::uint64_t total) : options_(options), total_(total) {}

  void add(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    done_ += bytes;
    if (options_.progress) options_.progress(std::min(done_, total_), total_);
  }
  void found(StoreProblem problem) {
    const std::lock_guard lock(mutex_);
    problems_.push_back(std::move(problem));
  }
  std::vector<StoreProblem> take() {
    std::stable_sort(problems_.begin(), problems_.end(), [](const StoreProblem& a, const StoreProblem& b) {
      return std::tie(a.place, a.pack, a.link, a.offset) < std::tie(b.place, b.pack, b.link, b.offset);
    });
    return std::move(problems_);
  }

 private:
  const VerifyOptions& options_;
  const std::uint64_t total_;
  std::mutex mutex_;
  std::uint64_t done_ = 0;
  std::vector<StoreProblem> problems_;
};

/// What a pack had, for one whose trailer does not tell any more.
using Expected = std::function<std::vector<PackEntry>(const ObjectId& pack)>;

/// Opens one pack and reads its trailer; where that is damaged, says so and takes what is expected, and a scan.
void open_for_check(Filesystem& fs, const std::string& path, const Expected& expected, PackCheck& check, Tally& tally) {
  try {
    check.file = fs.open(path, OpenMode::read_store);
    check.entries = read_trailer(*check.file, check.name);
  } catch (const Error& error) {
    check.good = false;
    if (!check.file && !exists(fs, path)) return;  // removed meanwhile: what was needed of it is elsewhere, or will be missed
    tally.found({check.name, 0, std::nullopt, ObjectId(), error.what()});
    if (!check.file || error.code() != ErrorCode::corrupt) return;
    check.entries = scan_records(*check.file);
    std::set<ObjectId> found;
    for (const PackEntry& entry : check.entries) found.insert(entry.id);
    for (const PackEntry& entry : expected(check.name)) {
      if (found.insert(entry.id).second) check.entries.push_back(entry);
    }
  }
}

/// Every record of the packs. A trailer's rows are contiguous, and each record's header must equal its row: so trailer and scan agree.
void check_batch(std::vector<PackCheck>& batch, const VerifyOptions& options, Tally& tally) {
  std::vector<std::pair<std::size_t, std::size_t>> jobs;
  for (std::size_t p = 0; p < batch.size(); ++p) {
    for (std::size_t e = 0; e < batch[p].entries.size(); ++e) jobs.emplace_back(p, e);
  }
  std::mutex mutex;
  parallel_for(jobs.size(), options.threads, [&](std::size_t i) {
    PackCheck& check = batch[jobs[i].first];
    const PackEntry& entry = check.entries[jobs[i].second];
    try {
      read_object(*check.file, entry);
    } catch (const Error& error) {
      tally.found({check.name, entry.offset, entry.kind, entry.id, error.what()});
      const std::lock_guard lock(mutex);
      check.good = false;
    }
    tally.add(entry.stored_size);
  });
  for (const PackCheck& check : batch) {
    if (check.good && options.found_good) options.found_good(check.name, check.file->info());
  }
}

StoreProblem link_problem(const LinkedFiles::Entry& entry, const LinkFile::Row* row, const std::string& message) {
  StoreProblem problem{ObjectId(), row ? row->offset : 0, std::nullopt, row ? row->id : ObjectId(), message, StoreProblem::Place::link, entry.name};
  if (row != nullptr) problem.kind = ObjectKind::chunk;
  return problem;
}

void check_link(const LinkedFiles& links, const LinkedFiles::Entry& entry, unsigned threads, Tally& tally) {
  if (!entry.link) return tally.found(link_problem(entry, nullptr, entry.problem));
  const auto& rows = entry.link->rows;
  parallel_for(rows.size(), threads, [&](std::size_t i) {
    try {
      links.check(*entry.link, rows[i]);
    } catch (const Error& error) {
      tally.found(link_problem(entry, &rows[i], error.what()));
    }
    tally.add(rows[i].size);
  });
}

}  // namespace

std::vector<StoreProblem> ObjectStore::verify_all(const std::function<void(std::uint64_t, std::uint64_t)>& progress, unsigned threads) const {
  VerifyOptions options;
  options.threads = threads;
  options.progress = progress;
  return verify(options);
}

std::vector<StoreProblem> ObjectStore::verify(const VerifyOptions& options) const {
  std::uint64_t total = 0;
  std::vector<std::pair<ObjectId, std::uint64_t>> wanted;
  for (const ObjectId& name : packs()) {
    const auto info = state_->fs.stat(state_->pack_path(name), false);
    if (info && options.known_good && options.known_good(name, *info)) continue;
    wanted.emplace_back(name, info ? info->size : 0);
    total += wanted.back().second;
  }
  state_->links.refresh();
  const auto links = state_->links.entries();
  for (const auto& entry : links) {
    if (entry.link) {
      for (const LinkFile::Row& row : entry.link->rows) total += row.size;
    }
  }
  Tally tally(options, total);
  const Expected expected = [&](const ObjectId& pack) {
    std::vector<PackEntry> entries;
    for (const ObjectEntry& row : state_->ask([](ObjectIndex& i) { return i.all(std::nullopt); })) {
      if (row.pack == pack) entries.push_back(to_pack_entry(row));
    }
    return entries;
  };
  std::vector<PackCheck> batch;
  std::uint64_t bytes = 0;
  const auto flush = [&] {
    check_batch(batch, options, tally);
    batch.clear();
    bytes = 0;
  };
  for (const auto& [name, size] : wanted) {
    batch.push_back({name});
    open_for_check(state_->fs, state_->pack_path(name), expected, batch.back(), tally);
    bytes += size;
    if (bytes >= kBatchBytes || batch.size() >= kBatchPacks) flush();
  }
  flush();
  for (const auto& entry : links) check_link(state_->links, entry, options.threads, tally);
  return tally.take();
}

std::vector<StoreProblem> ObjectStore::verify_index() const {
  const VerifyOptions options;
  Tally tally(options, 0);
  const std::vector<ObjectId> names = packs();  // before the index is read: a pack that comes meanwhile is not looked at
  state_->roll_forward();
  std::map<ObjectId, std::vector<ObjectEntry>> rows;  // of the index, by pack
  for (const ObjectEntry& entry : state_->ask([](ObjectIndex& i) { return i.all(std::nullopt); })) rows[entry.pack].push_back(entry);
  std::size_t wrong = 0, absent = 0;
  std::string first;
  const auto count = [&](std::size_t& counter, const ObjectId& id, ObjectKind kind) {
    if (wrong + absent == 0) first = std::string(kind_name(kind)) + " " + id.hex();
    ++counter;
  };
  for (const ObjectId& name : names) {
    PackCheck check{name};
    open_for_check(state_->fs, state_->pack_path(name), [](const ObjectId&) { return std::vector<PackEntry>(); }, check, tally);
    std::map<ObjectId, PackEntry> entries;
    for (const PackEntry& entry : check.entries) entries.emplace(entry.id, entry);
    for (const ObjectEntry& row : rows[name]) {
      const auto at = entries.find(row.id);
      if (check.good && at == entries.end()) count(wrong, row.id, row.kind);
    }
    rows.erase(name);
    for (const PackEntry& entry : check.entries) {
      const std::vector<ObjectEntry> copies = state_->ask([&](ObjectIndex& i) { return i.copies(entry.id); });
      const auto row = std::find_if(copies.begin(), copies.end(), [&](const ObjectEntry& copy) { return copy.pack == name; });
      if (row == copies.end()) {
        count(absent, entry.id, entry.kind);
      } else if (check.good && to_pack_entry(*row) != entry) {
        count(wrong, entry.id, entry.kind);
      }
      for (const ObjectId& target : attachment_targets(*check.file, entry)) {
        const auto known = state_->ask([&](ObjectIndex& i) { return i.attached_to(target); });
        if (std::find(known.begin(), known.end(), entry.id) == known.end()) count(absent, entry.id, entry.kind);
      }
    }
  }
  for (const auto& [pack, left] : rows) {
    if (exists(state_->fs, state_->pack_path(pack))) continue;
    for (const ObjectEntry& row : left) count(wrong, row.id, row.kind);
  }
  if (wrong + absent > 0) {
    tally.found({ObjectId(), 0, std::nullopt, ObjectId(),
                 printable(state_->dir) + ": the index has " + std::to_string(wrong) + " wrong rows and lacks " + std::to_string(absent) + ", first " + first +
                     "; make it anew with `dstore fsck --rebuild`",
                 StoreProblem::Place::index});
  }
  for (const auto& entry : state_->links.entries()) {
    if (!entry.link) {
      check_link(state_->links, entry, 0, tally);
      continue;
    }
    const auto info = state_->fs.stat(entry.link->path, true);
    if (!info || info->size != entry.link->size || info->mtime_ns != entry.link->mtime_ns) check_link(state_->links, entry, 0, tally);
  }
  return tally.take();
}

std::string ObjectStore::set_aside(const ObjectId& name) {
  const std::string folder = join_path(state_->dir, "quarantine");
  make_directories(state_->fs, folder);
  const std::string target = join_path(folder, pack_file_name(name) + "." + random_name());
  state_->fs.link(state_->pack_path(name), target);
  state_->fs.sync_directory(folder);
  return target;
}

void ObjectStore::drop_pack(const ObjectId& name) {
  state_->forget_pack(name);
  if (is_whole_pack(state_->fs, state_->pack_path(name), name)) return;
  state_->fs.remove(state_->pack_path(name));
  state_->fs.sync_directory(state_->packs_dir());
  state_->roll_forward();
}

}  // namespace dstore
