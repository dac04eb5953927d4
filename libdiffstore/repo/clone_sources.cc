#include "repo/clone_sources.h"

#include "base/sha256.h"
#include "dstore/error.h"
#include "object/chunked.h"
#include "repo/checkout_record.h"

namespace dstore {
namespace {

constexpr std::uint64_t kSmallest = 1 << 20;  ///< below, writing is as fast

bool has_digest(File& file, const ObjectId& sha256, std::uint64_t size) {
  if (file.info().size != size) return false;
  Sha256 hash;
  Bytes buffer(kChunkBytes);
  for (std::uint64_t at = 0; at < size;) {
    const std::size_t got = file.read_at(at, buffer);
    if (got == 0) return false;
    hash.update(ByteSpan(buffer).first(got));
    at += got;
  }
  return hash.finish() == sha256;
}

}  // namespace

void CloneSources::add_checkout(const std::string& folder) {
  Filesystem& fs = repository_.fs();
  const std::string path = join_path(folder, kCheckoutRecord);
  if (folder == target_ || !exists(fs, path)) return;
  CheckoutRecord record;
  try {
    record = CheckoutRecord::parse(read_text_file(fs, path, OpenMode::read_store), path);
  } catch (const Error&) {
    return;  // somebody else's, or damaged: none of our business
  }
  for (const auto& [name, row] : record.files) {
    if (row.size < kSmallest) continue;
    const std::string file = join_path(folder, name);
    const auto info = fs.stat(file, false);
    if (info && info->size == row.size && info->mtime_ns == row.mtime_ns && info->inode == row.inode) paths_->emplace(row.sha256, file);
  }
}

void CloneSources::look() {
  paths_.emplace();
  for (const auto& entry : repository_.store().links().entries()) {
    if (entry.link && !entry.link->sha256.is_none()) paths_->emplace(entry.link->sha256, entry.link->path);
  }
  const std::string parent = parent_path(target_);
  try {
    for (const std::string& name : repository_.fs().list(parent)) add_checkout(join_path(parent, name));
  } catch (const Error&) {
    // A folder that may be written but not listed.
  }
}

bool CloneSources::try_clone_like(const std::string& path, std::uint64_t size, File& file) const {
  const auto like = likes_.find(path);
  if (like == likes_.end() || !repository_.fs().try_clone(like->second, file)) return false;
  if (file.info().size == size) return true;
  file.truncate(0);
  return false;
}

bool CloneSources::try_clone(const ObjectId& sha256, std::uint64_t size, File& file) {
  if (size < kSmallest) return false;
  if (!paths_) look();
  const auto [begin, end] = paths_->equal_range(sha256);
  for (auto at = begin; at != end; ++at) {
    if (!repository_.fs().try_clone(at->second, file)) continue;
    if (has_digest(file, sha256, size)) return true;
    file.truncate(0);
  }
  return false;
}

}  // namespace dstore
