#include "odb/leftovers.h"

#include "odb/lease.h"

namespace dstore {
namespace {

constexpr std::size_t kLeaseNameDigits = 32;
constexpr std::string_view kAtomicPrefix = ".tmp-";
constexpr int kDepth = 3;  ///< remotes/NAME/REF

bool is_folder(Filesystem& fs, const std::string& path) {
  const auto info = fs.stat(path, false);
  return info && info->type == FileInfo::Type::directory;
}

void find_atomic_files(Filesystem& fs, const std::string& folder, int depth, std::vector<std::string>& out) {
  if (!is_folder(fs, folder)) return;
  for (const std::string& name : fs.list(folder)) {
    const std::string path = join_path(folder, name);
    if (name.starts_with(kAtomicPrefix)) {
      out.push_back(path);
    } else if (depth > 0 && is_folder(fs, path)) {
      find_atomic_files(fs, path, depth - 1, out);
    }
  }
}

std::set<std::string> names_of(const std::vector<LeaseInfo>& leases) {
  std::set<std::string> names;
  for (const LeaseInfo& lease : leases) names.insert(lease.name);
  return names;
}

}  // namespace

Leftovers::Leftovers(Filesystem& fs, const std::string& dir) : fs_(fs), dir_(dir) {
  const std::string tmp = join_path(dir, "tmp");
  if (is_folder(fs, tmp)) {
    for (const std::string& name : fs.list(tmp)) temporaries_.push_back(join_path(tmp, name));
  }
  find_atomic_files(fs, dir, 0, atomic_files_);
  find_atomic_files(fs, join_path(dir, "packs"), 0, atomic_files_);
  find_atomic_files(fs, join_path(dir, "refs"), 1, atomic_files_);
  find_atomic_files(fs, join_path(dir, "remotes"), kDepth, atomic_files_);
  find_atomic_files(fs, join_path(dir, "runs"), 1, atomic_files_);
  owners_ = names_of(live_leases(fs, dir));
}

std::uint64_t Leftovers::remove_temporaries() const {
  std::uint64_t count = 0;
  for (const std::string& path : temporaries_) {
    if (owners_.contains(file_name(path).substr(0, kLeaseNameDigits))) continue;
    remove_tree(fs_, path);
    ++count;
  }
  return count;
}

std::uint64_t Leftovers::remove_atomic_files() const {
  if (atomic_files_.empty()) return 0;
  for (const LeaseInfo& lease : live_leases(fs_, dir_)) {
    if (owners_.contains(lease.name)) return 0;
  }
  for (const std::string& path : atomic_files_) remove_tree(fs_, path);
  return atomic_files_.size();
}

}  // namespace dstore
