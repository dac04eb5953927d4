#include "repo/fsck_state.h"

#include <algorithm>
#include <charconv>

#include "base/atomic_file.h"
#include "base/json.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::uint64_t kSaveStep = std::uint64_t(1) << 30;
constexpr std::int64_t kVersion = 2;

std::int64_t number(const Json& row, std::string_view key, const std::string& path) {
  const std::string& text = row.at(key).string();
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) throw Error(ErrorCode::corrupt, path + ": not a number");
  return value;
}

}  // namespace

FsckState::FsckState(Filesystem& fs, const std::string& directory) : fs_(fs), path_(join_path(directory, "fsck-state")) {
  try {
    if (exists(fs_, path_)) load();
  } catch (const Error&) {
    rows_.clear();  // it only saves time
    made_.clear();
  }
}

FsckState::~FsckState() {
  if (unsaved_ > 0) save();
}

void FsckState::load() {
  const Json json = Json::parse(read_text_file(fs_, path_, OpenMode::read_store), path_);
  if (json.at("v").integer() != kVersion) return;
  for (const auto& [name, row] : json.at("packs").object()) {
    rows_.emplace(ObjectId::parse(name, path_), Row{static_cast<std::uint64_t>(row.at("size").integer()), number(row, "mtime_ns", path_),
                                                    static_cast<std::uint64_t>(number(row, "inode", path_))});
  }
  for (const Json& file : json.at("made").array()) made_.insert(ObjectId::parse(file.string(), path_));
}

void FsckState::save() {
  unsaved_ = 0;
  Json packs;
  for (const auto& [name, row] : rows_) {
    Json json;
    json.set("size", static_cast<std::int64_t>(row.size));
    json.set("mtime_ns", std::to_string(row.mtime_ns));
    json.set("inode", std::to_string(static_cast<std::int64_t>(row.inode)));
    packs.set(name.hex(), std::move(json));
  }
  Json::Array made;
  for (const ObjectId& file : made_) made.emplace_back(file.hex());
  Json json;
  json.set("v", kVersion);
  json.set("made", Json(std::move(made)));
  json.set("packs", std::move(packs));
  try {
    write_file_atomically(fs_, path_, as_bytes(json.serialize()));
  } catch (const Error&) {
    // A full disk or read-only media: the next check begins at the start.
  }
}

bool FsckState::knows(const ObjectId& pack, const FileInfo& info) const {
  const auto it = rows_.find(pack);
  return it != rows_.end() && it->second == row_of(info);
}

void FsckState::add(const ObjectId& pack, const FileInfo& info) {
  rows_[pack] = row_of(info);
  count(info.size);
}

void FsckState::add_made(const ObjectId& file, std::uint64_t bytes) {
  made_.insert(file);
  count(std::max<std::uint64_t>(bytes, 1));
}

void FsckState::count(std::uint64_t bytes) {
  unsaved_ += bytes;
  if (unsaved_ >= kSaveStep) save();
}

void FsckState::finish() {
  unsaved_ = 0;
  try {
    if (exists(fs_, path_)) fs_.remove(path_);
  } catch (const Error&) {
    // Nothing worse than a check that skips packs which have not changed since.
  }
}

}  // namespace dstore
