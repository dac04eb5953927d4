#include "repo/checkout.h"

#include <set>

#include "base/atomic_file.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/checkout_files.h"

namespace dstore {
namespace {

constexpr std::size_t kListed = 3;

void require_space(Filesystem& fs, const std::string& folder, std::uint64_t bytes) {
  const std::uint64_t free = fs.free_space(folder);
  if (bytes <= free) return;
  throw Error(ErrorCode::io, printable(folder) + ": the checkout needs " + std::to_string(bytes >> 20) + " MiB, " +
                                 std::to_string(free >> 20) + " MiB are free");
}

std::string list_paths(const std::vector<std::string>& paths) {
  std::string out;
  for (std::size_t i = 0; i < paths.size() && i < kListed; ++i) out += (i > 0 ? ", " : "") + printable(paths[i]);
  if (paths.size() > kListed) out += " and " + std::to_string(paths.size() - kListed) + " more";
  return out;
}

CheckoutRecord new_record(const Revision& revision) {
  CheckoutRecord record;
  record.revision = revision.text;
  record.commit = revision.commit;
  if (revision.base) record.base = *revision.base;
  if (revision.branch) record.branch = revision.branch->text();
  return record;
}

/// A folder that is not there, or empty: everything is made beside it and gets its name in one rename.
void checkout_new(Filesystem& fs, const FileSet& set, const std::string& folder, CheckoutRecord record, const CheckoutOptions& options,
                  CheckoutReport& report, const Progress& progress) {
  const std::string parent = parent_path(folder);
  make_directories(fs, parent);
  require_space(fs, parent, set.total_bytes());
  const std::string temporary = join_path(parent, "." + file_name(folder) + ".dstore-tmp-" + random_name());
  fs.make_directory(temporary);
  try {
    for (const std::string& path : set.paths()) {
      make_parents(fs, temporary, path);
      record.files[path] = set.write(fs, path, join_path(temporary, path), options.threads, progress);
      if (path.find('/') != std::string::npos) fs.sync_directory(parent_path(join_path(temporary, path)));
      report.bytes += record.files[path].size;
      ++report.written;
    }
    write_file_atomically(fs, join_path(temporary, kCheckoutRecord), as_bytes(record.serialize()));
    fs.rename(temporary, folder);
  } catch (...) {
    remove_tree(fs, temporary);
    throw;
  }
  fs.sync_directory(parent);
}

/// Into an earlier checkout: what differs is written under temporary names, then all of it takes effect in one step.
void checkout_in_place(Filesystem& fs, const FileSet& set, const std::string& folder, const std::optional<CheckoutRecord>& before,
                       CheckoutRecord record, const CheckoutOptions& options, CheckoutReport& report, const Progress& progress) {
  const CheckoutRecord old = before.value_or(CheckoutRecord{});
  std::set<std::string> touched;
  std::vector<std::string> changed, foreign;
  const std::set<std::string> wanted(set.paths().begin(), set.paths().end());
  for (const FolderChange& change : folder_changes(fs, folder, old, options.verify)) {
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
  if (!before && !options.force) {
    throw Error(ErrorCode::conflict, printable(folder) + ": is not empty and not a checkout; choose another folder, or give --force");
  }
  remove_leftovers(fs, folder);
  require_space(fs, folder, set.total_bytes());

  FolderSwap swap;
  try {
    for (const std::string& path : set.paths()) {
      const auto known = old.files.find(path);
      const auto digest = set.known_digest(path);
      if (known != old.files.end() && digest && known->second.sha256 == *digest && touched.count(path) == 0) {
        record.files[path] = known->second;
        ++report.kept;
        continue;
      }
      const std::string temporary = temporary_checkout_name();
      swap.renames.emplace(temporary, path);
      record.files[path] = set.write(fs, path, join_path(folder, temporary), options.threads, progress);
      report.bytes += record.files[path].size;
      ++report.written;
    }
  } catch (...) {
    for (const auto& [temporary, path] : swap.renames) {
      if (exists(fs, join_path(folder, temporary))) fs.remove(join_path(folder, temporary));
    }
    throw;
  }
  for (const auto& [path, row] : old.files) {
    if (wanted.count(path) == 0) swap.removals.push_back(path);
  }
  report.removed = swap.removals.size();
  report.in_place = true;
  swap.record = std::move(record);
  swap_folder(fs, folder, swap);
}

}  // namespace

CheckoutReport checkout(const Repository& repository, const Revision& revision, const std::string& folder,
                        const CheckoutOptions& options, const Progress& progress) {
  Filesystem& fs = repository.fs();
  LoadedRevision loaded = load_revision(repository, revision);
  if (options.single_file) join_shards(loaded.files);
  CheckoutReport report;
  report.commits = std::move(loaded.commits);
  report.weights = loaded.files.weights->weights_id();
  const FileSet set(repository, loaded.files);

  std::string target = folder;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  const auto info = fs.stat(target, false);
  if (info && info->type != FileInfo::Type::directory) {
    throw Error(ErrorCode::conflict, printable(target) + ": exists and is not a folder");
  }
  if (!info || fs.list(target).empty()) {
    checkout_new(fs, set, target, new_record(revision), options, report, progress);
  } else {
    const auto before = read_checkout_record(fs, target);
    checkout_in_place(fs, set, target, before, new_record(revision), options, report, progress);
  }
  return report;
}

}  // namespace dstore
