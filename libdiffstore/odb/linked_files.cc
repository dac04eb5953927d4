#include "odb/linked_files.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "odb/layout.h"

namespace dstore {

struct LinkedFiles::Loaded {
  std::string name;
  std::shared_ptr<const LinkFile> link;
  std::string problem;
  std::mutex mutex;
  std::shared_ptr<File> file;  ///< opened at the first read
};

LinkedFiles::LinkedFiles(Filesystem& fs, const std::string& dir) : fs_(fs), dir_(join_path(dir, "links")) {}
LinkedFiles::~LinkedFiles() = default;

std::shared_ptr<LinkedFiles::Loaded> LinkedFiles::load(const std::string& name) const {
  auto loaded = std::make_shared<Loaded>();
  loaded->name = name;
  try {
    const Bytes bytes = read_file(fs_, path_of(name), OpenMode::read_store, layout::kMaxLinkFile);
    if (sha256(bytes).hex() != name) throw Error(ErrorCode::corrupt, printable(path_of(name)) + ": the bytes do not have the digest of its name");
    loaded->link = std::make_shared<const LinkFile>(LinkFile::parse(bytes, printable(path_of(name))));
  } catch (const Error& error) {
    loaded->problem = error.what();  // its chunks count as missing; fsck says why
  }
  return loaded;
}

std::shared_ptr<const LinkedFiles::Snapshot> LinkedFiles::snapshot() const {
  const std::lock_guard lock(mutex_);
  if (snapshot_) return snapshot_;
  auto fresh = std::make_shared<Snapshot>(attached_);
  if (fs_.stat(dir_, false)) {
    for (const std::string& name : fs_.list(dir_)) {
      if (ObjectId::from_hex(name)) fresh->push_back(load(name));
    }
  }
  return snapshot_ = std::move(fresh);
}

bool LinkedFiles::refresh() {
  const auto before = snapshot();
  std::vector<std::string> names;
  if (fs_.stat(dir_, false)) names = fs_.list(dir_);
  auto fresh = std::make_shared<Snapshot>();
  std::map<std::string, std::shared_ptr<Loaded>> known;
  for (const auto& loaded : *before) {
    if (loaded->name.empty()) fresh->push_back(loaded);
    known.emplace(loaded->name, loaded);
  }
  bool changed = false;
  for (const std::string& name : names) {
    if (!ObjectId::from_hex(name)) continue;
    const auto it = known.find(name);
    changed = changed || it == known.end();
    fresh->push_back(it != known.end() ? it->second : load(name));
  }
  if (!changed && fresh->size() == before->size()) return false;
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(fresh);
  return true;
}

std::optional<LinkFile::Row> LinkedFiles::find(const ObjectId& id) const {
  for (const auto& loaded : *snapshot()) {
    if (const LinkFile::Row* row = loaded->link ? loaded->link->find(id) : nullptr) return *row;
  }
  return std::nullopt;
}

std::vector<LinkFile::Row> LinkedFiles::range(const ObjectId& first, const ObjectId& last, std::size_t limit) const {
  std::map<ObjectId, LinkFile::Row> found;
  for (const auto& loaded : *snapshot()) {
    if (!loaded->link) continue;
    const auto& rows = loaded->link->rows;
    auto at = std::lower_bound(rows.begin(), rows.end(), first, [](const LinkFile::Row& row, const ObjectId& id) { return row.id < id; });
    for (std::size_t n = 0; at != rows.end() && at->id <= last && n < limit; ++at, ++n) found.emplace(at->id, *at);
  }
  std::vector<LinkFile::Row> out;
  for (const auto& [id, row] : found) {
    if (out.size() < limit) out.push_back(row);
  }
  return out;
}

void LinkedFiles::read_from(Loaded& loaded, const LinkFile::Row& row, MutableByteSpan out) const {
  const std::string where = printable(loaded.link->path);
  constexpr const char* kRemedy = "; put the file back, or store the chunks with `dstore fsck --repair-from REMOTE|FOLDER`";
  std::shared_ptr<File> file;
  {
    const std::lock_guard lock(loaded.mutex);
    if (!loaded.file) {
      try {
        loaded.file = fs_.open(loaded.link->path, OpenMode::read);
      } catch (const Error& error) {
        throw Error(error.code() == ErrorCode::io ? ErrorCode::io : ErrorCode::not_found,
                    where + ": a linked file that cannot be read any more (" + error.what() + ")" + kRemedy);
      }
    }
    file = loaded.file;
  }
  if (file->read_at(row.offset, out) == out.size() && object_id(ObjectKind::chunk, out) == row.id) return;
  {
    const std::lock_guard lock(loaded.mutex);
    loaded.file.reset();  // the right file may come back under its name
  }
  if (loaded.name.empty()) {
    throw Error(ErrorCode::conflict, where + ": does not hold the base that is needed: chunk " + row.id.short_hex() + " is not at byte " + std::to_string(row.offset));
  }
  throw Error(ErrorCode::corrupt, where + ": a linked file that has changed since its import: chunk " + row.id.short_hex() + " at byte " +
                                      std::to_string(row.offset) + " is not there" + kRemedy);
}

bool LinkedFiles::read(const ObjectId& id, MutableByteSpan out) const {
  std::optional<Error> problem;
  for (const auto& loaded : *snapshot()) {
    const LinkFile::Row* row = loaded->link ? loaded->link->find(id) : nullptr;
    if (row == nullptr) continue;
    if (row->size != out.size()) {
      problem = Error(ErrorCode::corrupt, "chunk " + id.hex() + ": linked with " + std::to_string(row->size) + " bytes where " +
                                              std::to_string(out.size()) + " were expected");
      continue;
    }
    try {
      read_from(*loaded, *row, out);
      return true;
    } catch (const Error& error) {
      problem = error;
    }
  }
  if (problem) throw *problem;
  return false;
}

void LinkedFiles::check(const LinkFile& link, const LinkFile::Row& row) const {
  Bytes bytes(row.size);
  for (const auto& loaded : *snapshot()) {
    if (loaded->link.get() == &link) return read_from(*loaded, row, bytes);
  }
  throw Error(ErrorCode::not_found, printable(link.path) + ": its link has gone meanwhile");
}

std::vector<LinkedFiles::Entry> LinkedFiles::entries() const {
  std::vector<Entry> out;
  for (const auto& loaded : *snapshot()) out.push_back({loaded->name, loaded->link, loaded->problem});
  return out;
}

void LinkedFiles::add(const LinkFile& link) {
  const Bytes bytes = link.serialize();
  const std::string name = sha256(bytes).hex();
  make_directories(fs_, dir_);
  write_file_atomically(fs_, path_of(name), bytes, 0444);
  refresh();
  if (!link.sha256.is_none()) remove([&](const LinkFile& other) { return other.sha256 == link.sha256 && other != link; });
}

void LinkedFiles::attach(LinkFile link) {
  auto loaded = std::make_shared<Loaded>();
  loaded->link = std::make_shared<const LinkFile>(std::move(link));
  const auto before = snapshot();
  const std::lock_guard lock(mutex_);
  attached_.push_back(loaded);
  auto fresh = std::make_shared<Snapshot>(*before);
  fresh->push_back(std::move(loaded));
  snapshot_ = std::move(fresh);
}

std::string LinkedFiles::quarantine(const std::string& name) {
  const std::string folder = join_path(parent_path(dir_), "quarantine");
  make_directories(fs_, folder);
  const std::string target = join_path(folder, name + ".link." + random_name());
  fs_.rename(path_of(name), target);
  fs_.sync_directory(folder);
  fs_.sync_directory(dir_);
  refresh();
  return target;
}

std::vector<std::string> LinkedFiles::remove(const std::function<bool(const LinkFile&)>& drop) {
  refresh();
  std::vector<std::string> removed;
  for (const Entry& entry : entries()) {
    if (entry.name.empty() || !entry.link || !drop(*entry.link)) continue;
    fs_.remove(path_of(entry.name));
    removed.push_back(entry.name);
  }
  if (removed.empty()) return removed;
  fs_.sync_directory(dir_);
  refresh();
  return removed;
}

}  // namespace dstore
