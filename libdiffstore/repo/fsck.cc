#include "repo/fsck.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include "base/sha256.h"
#include "base/size_text.h"
#include "dstore/error.h"
#include "repo/commit_task.h"
#include "repo/evaluations.h"
#include "repo/forgotten.h"
#include "repo/fsck_state.h"
#include "repo/shard_stream.h"

namespace dstore {
namespace {

constexpr const char* kRepair = "; get it back with `dstore fsck --repair-from REMOTE|FOLDER`";

class Check {
 public:
  Check(const Repository& repository, const FsckOptions& options)
      : repository_(repository), options_(options), forgotten_(forgotten_commits(repository)) {}

  FsckReport run() {
    if (options_.level == FsckLevel::quick) {
      check_index();
      check_refs();
      return std::move(report_);
    }
    FsckState state(repository_.fs(), repository_.directory());
    check_records(state);
    if (options_.index) check_index();
    check_refs();
    check_commits();
    find_missing();
    check_stages();
    notice_leftovers();
    if (options_.level == FsckLevel::deep) check_checkouts(state);
    state.finish();
    return std::move(report_);
  }

 private:
  void find(std::string_view kind, std::string message) { report_.findings.push_back({kind, std::move(message)}); }
  Progress progress(const std::string& label) const { return options_.progress ? options_.progress(label) : Progress(); }
  const ObjectStore& store() const { return repository_.store(); }

  void check_records(FsckState& state) {
    std::uint64_t bytes = 0;
    for (const ObjectId& pack : store().packs()) bytes += repository_.fs().stat(store().pack_path(pack), false).value_or(FileInfo{}).size;
    announce_reading(bytes, "the check of all packs", options_.notice);
    VerifyOptions verify;
    verify.threads = options_.threads;
    verify.progress = progress("verifying");
    verify.known_good = [&](const ObjectId& pack, const FileInfo& info) {
      ++report_.packs;
      if (options_.known_good.contains(pack)) return true;
      if (!state.knows(pack, info)) return false;
      report_.good_packs.insert(pack);
      ++report_.resumed;
      return true;
    };
    verify.found_good = [&](const ObjectId& pack, const FileInfo& info) {
      report_.good_packs.insert(pack);
      state.add(pack, info);
    };
    report_.damage = store().verify(verify);
    report_.links = store().links().entries().size();
    add_damage(report_.damage);
  }

  void check_index() {
    std::vector<StoreProblem> problems = store().verify_index();
    if (options_.level == FsckLevel::quick) {
      report_.packs = store().packs().size();
      report_.links = store().links().entries().size();
    } else {
      std::erase_if(problems, [](const StoreProblem& problem) { return problem.place != StoreProblem::Place::index; });
    }
    add_damage(problems);
  }

  /// Of a linked file only the first chunk is named: often all are lost at once.
  void add_damage(const std::vector<StoreProblem>& problems) {
    for (std::size_t i = 0; i < problems.size(); ++i) {
      const StoreProblem& problem = problems[i];
      if (problem.place == StoreProblem::Place::index) {
        find("index", problem.message);
      } else if (problem.place == StoreProblem::Place::pack) {
        std::string message = problem.message.substr(0, problem.message.find("; see `dstore fsck`"));
        find("pack", message + kRepair);
      } else if (i == 0 || problems[i - 1].link != problem.link) {
        const auto same = std::count_if(problems.begin(), problems.end(), [&](const StoreProblem& other) { return other.link == problem.link; });
        find("link", problem.message + (same > 1 ? " (and " + std::to_string(same - 1) + " more chunks)" : "") + (problem.kind ? "" : kRepair));
      }
    }
  }

  /// A ref's chain, and with `signatures` those of its entries.
  void check_ref(const RefLog& log, const RefName& ref, bool signatures) {
    const std::vector<RefEntry> entries = log.entries(ref);
    if (entries.empty()) return;
    for (const RefEntry& entry : entries) {
      if (!signatures || entry.signature.empty()) continue;
      const std::string what = "ref " + ref.text() + ", move " + std::to_string(entry.sequence);
      const std::string payload = entry.payload();
      repository_.trust().check(dearmor(entry.signature, what), kRefNamespace, as_bytes(payload)).require_good(what);
    }
    if (entries.back().is_deletion() || is_forgotten_name(ref)) return;
    report_.heads.push_back(entries.back().new_commit);
    if (!store().contains(report_.heads.back()) && !forgotten_.contains(report_.heads.back())) {
      find("ref", "ref " + ref.text() + ": its commit " + report_.heads.back().short_hex() + " is missing" + kRepair);
    }
  }

  void check_refs_of(const RefLog& log, const std::string& log_name, bool own) {
    const std::string folder = repository_.path(log_name);
    for (const RefName& ref : log.list()) {
      try {
        check_ref(log, ref, own && options_.level != FsckLevel::quick);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::io) throw;
        if (error.code() != ErrorCode::untrusted) report_.damaged_refs.push_back({log_name, ref});
        const std::string place = printable(join_path(folder, ref.encode()));
        find(error.code() == ErrorCode::untrusted ? "signature" : "ref",
             error.code() == ErrorCode::untrusted ? error.what()
             : own ? error.what() + ("; put the entry back with `dstore fsck --repair-from COPY` of this repository, or move " + place + " away and make the ref anew with `dstore branch " + ref.text() + " COMMIT`")
                   : error.what() + ("; move " + place + " away and fetch again"));
      }
    }
  }

  void check_refs() {
    check_refs_of(repository_.refs(), "refs", true);
    const std::string mirrors = repository_.path("remotes");
    if (!exists(repository_.fs(), mirrors)) return;
    for (const std::string& remote : repository_.fs().list(mirrors)) {
      if (RefName::is_valid(remote)) check_refs_of(repository_.remote_refs(remote), "remotes/" + remote, false);
    }
  }

  void check_commits() {
    check_signed(ObjectKind::commit, report_.commits, report_.unsigned_commits, [&](const ObjectId& id) { return repository_.check_commit(id).signature; });
    check_signed(ObjectKind::evaluation, report_.evaluations, report_.unsigned_evaluations,
                 [&](const ObjectId& id) { return check_evaluation(repository_, id).signature; });
  }

  /// Every object of a kind that is signed, counted.
  void check_signed(ObjectKind kind, std::size_t& count, std::size_t& unsigned_count, const std::function<Verification(const ObjectId&)>& check) {
    store().for_each(kind, [&](const ObjectEntry& entry) {
      try {
        const Verification signature = check(entry.id);
        if (signature.verdict == Verdict::unsigned_) {
          ++unsigned_count;
        } else if (signature.verdict != Verdict::good) {
          find("signature", std::string(kind_name(kind)) + " " + entry.id.short_hex() + ": " + signature.reason);
        }
      } catch (const Error& error) {
        if (error.code() == ErrorCode::io) throw;
        // A gc has removed it meanwhile. A commit that a ref leads to is looked for by find_missing().
        if (error.code() == ErrorCode::not_found && !store().contains(entry.id)) return;
        if (!is_damaged(entry.id)) find(kind_name(kind), error.what());
      }
      ++count;
    });
  }

  bool is_damaged(const ObjectId& id) const {
    return std::any_of(report_.damage.begin(), report_.damage.end(), [&](const StoreProblem& problem) { return problem.id == id; });
  }

  void find_missing() {
    report_.missing = find_missing_objects(repository_, report_.heads);
    for (const std::string& line : gap_lines(report_.missing)) find("missing", line + kRepair);
    for (const std::string& line : report_.missing.damaged) find("commit", line);
    for (const ObjectId& weights : report_.missing.absent_bases) {
      report_.notices.push_back("base absent: the weights " + weights.hex() + " are not here, as this repository is without bases; `dstore import FOLDER` supplies them");
    }
  }

  void check_stages() {
    std::vector<std::string> names;
    try {
      names = list_stages(repository_);
    } catch (const Error& error) {
      return find("stage", error.what());
    }
    for (const std::string& name : names) {
      try {
        const Stage stage = read_stage(repository_, RefName::parse(name));
        if (!store().contains(stage.base)) throw Error(ErrorCode::not_found, "its base, commit " + stage.base.short_hex() + ", is missing");
        CheckpointFolder(repository_.fs(), stage.folder);
      } catch (const std::exception& error) {
        find("stage", "staged/" + name + ": " + printable(error.what()) + "; train it again, or delete the folder");
      }
    }
  }

  /// Count and size of a folder's files; nothing if there are none.
  void notice_folder(const std::string& name, const std::string& meaning) {
    try {
      count_folder(name, meaning);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;  // its owner has removed something meanwhile
    }
  }

  void count_folder(const std::string& name, const std::string& meaning) {
    Filesystem& fs = repository_.fs();
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    std::vector<std::string> stack{repository_.path(name)};
    while (!stack.empty()) {
      const std::string folder = stack.back();
      stack.pop_back();
      if (!exists(fs, folder)) continue;
      for (const std::string& entry : fs.list(folder)) {
        const auto info = fs.stat(join_path(folder, entry), false);
        if (!info) continue;
        if (info->type == FileInfo::Type::directory) {
          stack.push_back(join_path(folder, entry));
        } else {
          ++count;
          bytes += info->size;
        }
      }
    }
    if (count > 0) report_.notices.push_back(name + ": " + std::to_string(count) + (count == 1 ? " file, " : " files, ") + human_size(bytes) + ", " + meaning);
  }

  void notice_leftovers() {
    notice_folder("tmp", "left by commands that were killed, or of one that is running");
    notice_folder("runs", "of trainings that `dstore train --resume` can go on with (`dstore status`)");
    notice_folder("quarantine", "moved aside by a repair; delete it when nothing is missed");
  }

  /// A shard is known by its header and its tensors: the same in many commits, it is made once.
  static ObjectId shard_key(const ModelFiles& files, const ShardFile& shard) {
    Sha256 hash;
    hash.update(shard.header.raw);
    for (const SafetensorsEntry& entry : shard.header.entries) {
      const auto index = files.weights->find(entry.info.name);
      hash.update(index ? files.weights->tensor_id(*index).bytes() : ObjectId().bytes());
    }
    hash.update(shard.sha256.value_or(ObjectId()).bytes());
    return hash.finish();
  }

  void check_checkout(const Commit& commit, std::set<ObjectId>& made, FsckState& state, const std::function<void(std::uint64_t)>& seen) {
    const ObjectId base = commit.is_task() ? read_delta(repository_, commit).base_weights : read_checkpoint(repository_, commit).weights;
    const auto& absent = report_.missing.absent_bases;
    if (std::find(absent.begin(), absent.end(), base) != absent.end()) return;
    if (commit.adapter) check_files(load_adapter_files(repository_, commit), made, state, seen);
    check_files(load_commit_files(repository_, commit), made, state, seen);
    ++report_.checkouts;
  }

  /// One file at a time: an interrupted check goes on after it.
  void check_files(const ModelFiles& files, std::set<ObjectId>& made, FsckState& state, const std::function<void(std::uint64_t)>& seen) {
    const auto is_made = [&](const ObjectId& key) {
      if (!made.insert(key).second) return true;
      if (!state.knows_made(key)) return false;
      ++report_.files_resumed;
      return true;
    };
    for (const ShardFile& shard : files.shards) {
      const ObjectId key = shard_key(files, shard);
      if (is_made(key)) continue;
      stream_shard(*files.weights, shard, options_.threads, [&](std::uint64_t, ByteSpan part) { seen(part.size()); });
      state.add_made(key, shard.bytes());
    }
    for (const auto& [path, file] : files.files) {
      if (!file.file || is_made(*file.file)) continue;
      repository_.read_file_object(*file.file, [&](ByteSpan part) { seen(part.size()); });
      state.add_made(*file.file, 0);
    }
  }

  /// Of all commits, each file once.
  std::uint64_t bytes_of_shards() const {
    std::set<ObjectId> counted;
    std::uint64_t bytes = 0;
    for (const ObjectId& id : report_.missing.commits) {
      try {
        for (const auto& shard : read_checkpoint(repository_, repository_.read_commit(id)).shards) bytes += counted.insert(shard.sha256).second ? shard.bytes : 0;
      } catch (const Error&) {
        // What cannot be read is reported by the check itself.
      }
    }
    return bytes;
  }

  void check_checkouts(FsckState& state) {
    announce_reading(bytes_of_shards(), "the check of all checkouts", options_.notice);
    const Progress bar = progress("reconstructing");
    std::uint64_t done = 0;
    std::mutex mutex;
    const auto seen = [&](std::uint64_t bytes) {
      const std::scoped_lock lock(mutex);
      done += bytes;
      if (bar) bar(done, 0);
    };
    std::set<ObjectId> made;
    std::set<std::tuple<ObjectId, ObjectId, ObjectId>> checkpoints;
    for (const ObjectId& id : report_.missing.commits) {
      try {
        const Commit commit = repository_.read_commit(id);
        if (commit.base && forgotten_.contains(*commit.base)) continue;
        if (checkpoints.emplace(commit.checkpoint, commit.delta.value_or(ObjectId()), commit.adapter.value_or(ObjectId())).second) check_checkout(commit, made, state, seen);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::io) throw;
        find("checkout", "commit " + id.short_hex() + " cannot be checked out: " + error.what());
      }
    }
  }

  const Repository& repository_;
  const FsckOptions& options_;
  const std::set<ObjectId> forgotten_;
  FsckReport report_;
};

}  // namespace

FsckReport fsck(const Repository& repository, const FsckOptions& options) { return Check(repository, options).run(); }

void rebuild_caches(Filesystem& fs, const std::string& directory) {
  for (const char* name : {"index.db-journal", "index.db", "catalog.db-journal", "catalog.db"}) {
    const std::string path = join_path(directory, name);
    if (exists(fs, path)) fs.remove(path);
  }
  fs.sync_directory(directory);
  ObjectStore::open(fs, directory, IndexMode::database).write_index();
}

std::uint64_t reconstruct(const Repository& repository, const ModelFiles& files, unsigned threads, const std::function<void(std::uint64_t)>& seen) {
  std::mutex mutex;
  std::uint64_t bytes = 0;
  const auto count = [&](std::uint64_t size) {
    const std::scoped_lock lock(mutex);
    bytes += size;
    if (seen) seen(size);
  };
  for (const ShardFile& shard : files.shards) {
    stream_shard(files.source(), shard, threads, [&](std::uint64_t, ByteSpan part) { count(part.size()); });
  }
  for (const auto& [path, file] : files.files) {
    if (file.file) repository.read_file_object(*file.file, [&](ByteSpan part) { count(part.size()); });
  }
  return bytes;
}

}  // namespace dstore
