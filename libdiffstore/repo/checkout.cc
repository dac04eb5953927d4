#include "repo/checkout.h"

#include <set>

#include "base/atomic_file.h"
#include "base/room.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/checkout_files.h"

namespace dstore {
namespace {

/// Everything is made beside the folder and gets its name in one rename.
void checkout_new(Filesystem& fs, const FileSet& set, CloneSources& clones, const std::string& folder, CheckoutRecord record, const CheckoutOptions& options,
                  CheckoutReport& report, const Progress& progress) {
  const std::string parent = parent_path(folder);
  make_directories(fs, parent);
  require_room(fs, parent, set.total_bytes(), "the checkout", options.notice);
  const std::string temporary = join_path(parent, "." + file_name(folder) + ".dstore-tmp-" + random_name());
  fs.make_directory(temporary);
  try {
    WrittenFiles files;
    std::set<std::string> folders;
    for (const std::string& path : set.paths()) {
      make_parents(fs, temporary, path);
      set.write(fs, path, join_path(temporary, path), options.threads, progress, files, clones);
      if (path.find('/') != std::string::npos) folders.insert(parent_path(join_path(temporary, path)));
    }
    record.files = files.finish();
    for (const std::string& made : folders) fs.sync_directory(made);
    report.written = set.paths().size();
    report.bytes = set.total_bytes();
    if (options.record) write_file_atomically(fs, join_path(temporary, kCheckoutRecord), as_bytes(record.serialize()));
    fs.rename(temporary, folder);
  } catch (...) {
    remove_tree(fs, temporary);
    throw;
  }
  fs.sync_directory(parent);
}

/// Whether every file under `folder/path` is one that the swap removes.
bool will_be_empty(Filesystem& fs, const std::string& folder, const std::string& path, const std::set<std::string>& removals) {
  for (const std::string& name : fs.list(join_path(folder, path))) {
    const std::string inner = path + "/" + name;
    const bool is_folder = fs.stat(join_path(folder, inner), false)->type == FileInfo::Type::directory;
    if (is_folder ? !will_be_empty(fs, folder, inner, removals) : removals.count(inner) == 0) return false;
  }
  return true;
}

/// What would stop the swap half-way is refused before it begins, also with --force: a folder where a file goes, a file
/// or link where a folder is needed.
void require_clear_way(Filesystem& fs, const std::string& folder, const FolderSwap& swap) {
  const std::set<std::string> removals(swap.removals.begin(), swap.removals.end());
  const auto refuse = [&](const std::string& path) {
    throw Error(ErrorCode::conflict, printable(join_path(folder, path)) + ": is in the way of the checkout and not dstore's; move it away");
  };
  for (const auto& [temporary, path] : swap.renames) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      const auto info = fs.stat(join_path(folder, parent), false);
      if (info && info->type != FileInfo::Type::directory && removals.count(parent) == 0) refuse(parent);
      if (!info || info->type != FileInfo::Type::directory) break;
    }
    const auto info = fs.stat(join_path(folder, path), false);
    if (info && info->type == FileInfo::Type::directory && !will_be_empty(fs, folder, path, removals)) refuse(path);
  }
}

/// Into an earlier checkout: what differs is written under temporary names, then all of it takes effect in one step.
void checkout_in_place(Filesystem& fs, const FileSet& set, CloneSources& clones, const std::string& folder, const std::optional<CheckoutRecord>& before,
                       CheckoutRecord record, const CheckoutOptions& options, CheckoutReport& report, const Progress& progress) {
  const CheckoutRecord old = before.value_or(CheckoutRecord{});
  std::set<std::string> touched;
  std::vector<std::string> changed, foreign;
  const std::set<std::string> wanted(set.paths().begin(), set.paths().end());
  const std::vector<FolderChange> found = folder_changes(fs, folder, old, options.verify);
  for (const FolderChange& change : found) {
    touched.insert(change.path);
    if (change.kind == FolderChange::Kind::changed) changed.push_back(change.path);
    if (change.kind == FolderChange::Kind::foreign && wanted.count(change.path) > 0) foreign.push_back(change.path);
  }
  if (!options.force && !changed.empty()) {
    throw Error(ErrorCode::conflict, printable(folder) + ": changed since its checkout: " + list_paths(changed) +
                                         "; commit them, or give --force to overwrite");
  }
  if (!options.force && !foreign.empty()) {
    throw Error(ErrorCode::conflict, printable(folder) + ": would overwrite files that dstore did not write: " + list_paths(foreign) +
                                         "; choose another folder, or give --force");
  }
  if (!before && !options.force && !found.empty()) {
    throw Error(ErrorCode::conflict, printable(folder) + ": is not empty and not a checkout; choose another folder, or give --force");
  }
  remove_leftovers(fs, folder);

  FolderSwap swap;
  std::uint64_t needed = 0;
  for (const std::string& path : set.paths()) {
    const auto known = old.files.find(path);
    const auto digest = set.known_digest(path);
    if (known != old.files.end() && digest && known->second.sha256 == *digest && touched.count(path) == 0) {
      record.files[path] = known->second;
      ++report.kept;
    } else {
      swap.renames.emplace(temporary_checkout_name(), path);
      needed += set.bytes(path);
    }
  }
  for (const auto& [path, row] : old.files) {
    if (wanted.count(path) == 0) swap.removals.push_back(path);
  }
  require_clear_way(fs, folder, swap);
  require_room(fs, folder, needed, "the checkout", options.notice);
  try {
    WrittenFiles files;
    for (const auto& [temporary, path] : swap.renames) {
      set.write(fs, path, join_path(folder, temporary), options.threads, progress, files, clones);
    }
    record.files.merge(files.finish());
    report.written = swap.renames.size();
    report.bytes = needed;
  } catch (...) {
    for (const auto& [temporary, path] : swap.renames) {
      if (exists(fs, join_path(folder, temporary))) fs.remove(join_path(folder, temporary));
    }
    throw;
  }
  report.removed = swap.removals.size();
  report.in_place = before.has_value();
  swap.record = std::move(record);
  swap_folder(fs, folder, swap);
}

std::string without_slash(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

}  // namespace

CheckoutRecord new_record(const Revision& revision) {
  CheckoutRecord record;
  record.revision = revision.text;
  record.commit = revision.commit;
  if (revision.base) record.base = *revision.base;
  if (revision.computed) record.expression = revision.computed->pinned();
  if (revision.branch) record.branch = revision.branch->text();
  return record;
}

CheckoutReport write_new_folder(const Repository& repository, const ModelFiles& files, CheckoutRecord record, const std::string& folder,
                                const CheckoutOptions& options, const Progress& progress, const std::map<std::string, std::string>& like) {
  const std::string target = without_slash(folder);
  if (repository.fs().stat(target, false)) throw Error(ErrorCode::conflict, printable(target) + ": exists already; choose a new folder");
  CheckoutReport report;
  report.weights = files.weights->weights_id();
  const FileSet set(repository, files);
  CloneSources clones(repository, target);
  for (const auto& [path, other] : like) clones.expect(path, other);
  checkout_new(repository.fs(), set, clones, target, std::move(record), options, report, progress);
  return report;
}

CheckoutReport checkout(const Repository& repository, const Revision& revision, const std::string& folder,
                        const CheckoutOptions& options, const Progress& progress) {
  Filesystem& fs = repository.fs();
  OpenRevision loaded;
  if (options.adapter) {
    static_cast<LoadedRevision&>(loaded) = load_adapter(repository, revision);
  } else {
    loaded = open_revision(repository, revision, progress);
  }
  if (options.single_file) join_shards(loaded.files);
  CheckoutReport report;
  report.commits = std::move(loaded.commits);
  if (loaded.files.weights) report.weights = loaded.files.weights->weights_id();
  const FileSet set(repository, loaded.files);

  const std::string target = without_slash(folder);
  CloneSources clones(repository, target);
  const auto info = fs.stat(target, false);
  if (info && info->type != FileInfo::Type::directory) {
    throw Error(ErrorCode::conflict, printable(target) + ": exists and is not a folder");
  }
  if (info && !options.record && !fs.list(target).empty()) {
    throw Error(ErrorCode::conflict, printable(target) + ": exists and is not empty; choose another folder");
  }
  if (!info || !options.record) {
    checkout_new(fs, set, clones, target, new_record(revision), options, report, progress);
  } else {
    const FolderLock lock(fs, target);
    const auto before = read_checkout_record(fs, target, lock);
    checkout_in_place(fs, set, clones, target, before, new_record(revision), options, report, progress);
  }
  if (loaded.sum != nullptr) report.overlap = loaded.sum->overlap();
  return report;
}

}  // namespace dstore
