#include "repo/checkout_record.h"

#include <algorithm>

#include "base/json.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/folder_undo.h"

namespace dstore {
namespace {

constexpr std::string_view kIntent = ".dstore-intent";
constexpr std::string_view kTemporary = ".dstore-tmp-";
constexpr std::size_t kListed = 3;
constexpr int kPlainVersion = 1;
constexpr int kUndoVersion = 2;  ///< the swap ends a change that can be undone

/// Record, intent, lock and temporary files.
bool is_ours(std::string_view name) { return name.starts_with(".dstore-"); }

std::string intent_text(const FolderSwap& swap) {
  Json renames;
  for (const auto& [from, to] : swap.renames) renames.set(from, to);
  Json::Array removals;
  for (const std::string& path : swap.removals) removals.emplace_back(path);
  Json json;
  json.set("v", swap.keeps_undo ? kUndoVersion : kPlainVersion);
  json.set("renames", std::move(renames));
  json.set("removals", Json(std::move(removals)));
  json.set("record", swap.record.serialize());
  return json.serialize();
}

/// As write_file_atomically(), under a temporary name that is known for ours if we are killed.
void write_own_file(Filesystem& fs, const std::string& folder, std::string_view name, const std::string& text) {
  const std::string temporary = join_path(folder, temporary_checkout_name());
  {
    const auto file = fs.open(temporary, OpenMode::create_new);
    file->write_at(0, as_bytes(text));
    file->sync();
  }
  fs.rename(temporary, join_path(folder, name));
  fs.sync_directory(folder);
}

/// Whether each folder above `path` is one (not a link that leads elsewhere).
bool parents_are_folders(Filesystem& fs, const std::string& folder, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const auto info = fs.stat(join_path(folder, path.substr(0, slash)), false);
    if (!info || info->type != FileInfo::Type::directory) return false;
  }
  return true;
}

FolderSwap parse_intent(std::string_view text, std::string_view what) {
  const Json json = Json::parse(text, what);
  FolderSwap swap;
  for (const auto& [from, to] : json.at("renames").object()) swap.renames.emplace(from, to.string());
  for (const Json& path : json.at("removals").array()) swap.removals.push_back(path.string());
  swap.record = CheckoutRecord::parse(json.at("record").string(), what);
  for (const auto& [from, to] : swap.renames) {
    if (!from.starts_with(kTemporary) || from.find('/') != std::string::npos || swap.record.files.count(to) == 0) {
      throw Error(ErrorCode::corrupt, std::string(what) + ": renames a file that is none of its own");
    }
  }
  for (const std::string& path : swap.removals) {
    if (!is_safe_relative_path(path)) throw Error(ErrorCode::corrupt, std::string(what) + ": names a path outside the folder");
  }
  const std::int64_t version = json.at("v").integer();
  if (version != kPlainVersion && version != kUndoVersion) throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  swap.keeps_undo = version == kUndoVersion;
  if (intent_text(swap) != text) throw Error(ErrorCode::corrupt, std::string(what) + ": not an intent of version " + std::to_string(version));
  return swap;
}

void remove_empty_parents(Filesystem& fs, const std::string& folder, std::string path) {
  while (path.find('/') != std::string::npos) {
    path = parent_path(path);
    const std::string dir = join_path(folder, path);
    const auto info = fs.stat(dir, false);
    if (!info) continue;
    if (info->type != FileInfo::Type::directory || !fs.list(dir).empty()) return;
    fs.remove(dir);
  }
}

/// May be repeated: each step leaves what a second run recognises as done.
void carry_out(Filesystem& fs, const std::string& folder, const FolderSwap& swap) {
  for (const std::string& path : swap.removals) {
    const std::string full = join_path(folder, path);
    if (!parents_are_folders(fs, folder, path)) continue;
    // A folder here is one that a rename below has made before we were killed.
    if (const auto info = fs.stat(full, false); info && info->type != FileInfo::Type::directory) fs.remove(full);
    remove_empty_parents(fs, folder, path);
  }
  for (const auto& [from, to] : swap.renames) {
    if (!exists(fs, join_path(folder, from))) {
      // Done before we were killed, or somebody took the file away: then this must not pass for the new checkout.
      const std::string target = join_path(folder, to);
      if (exists(fs, target) && hash_file(fs, target) == swap.record.files.at(to).sha256) continue;
      throw Error(ErrorCode::conflict, printable(target) + ": somebody else changed this folder during its checkout; remove " +
                                           printable(join_path(folder, kIntent)) + " and check out again with --force");
    }
    make_parents(fs, folder, to);
    fs.rename(join_path(folder, from), join_path(folder, to));
    if (to.find('/') != std::string::npos) fs.sync_directory(parent_path(join_path(folder, to)));
  }
  write_own_file(fs, folder, kCheckoutRecord, swap.record.serialize());
  // Durable before the intent goes: what is left of a change would else be taken for one that was killed.
  if (swap.keeps_undo ? keep_undo(fs, folder) : forget_undo(fs, folder)) fs.sync_directory(folder);
  fs.remove(join_path(folder, kIntent));
  fs.sync_directory(folder);
}

void walk(Filesystem& fs, const std::string& folder, const std::string& prefix, const CheckoutRecord& record, std::vector<FolderChange>& out) {
  for (const std::string& name : fs.list(join_path(folder, prefix))) {
    const std::string path = prefix.empty() ? name : prefix + "/" + name;
    if (prefix.empty() && is_ours(name)) continue;
    const auto info = fs.stat(join_path(folder, path), false);
    if (info && info->type == FileInfo::Type::directory) {
      if (!record.files.count(path)) walk(fs, folder, path, record, out);
    } else if (record.files.count(path) == 0) {
      out.push_back({path, FolderChange::Kind::foreign});
    }
  }
}

}  // namespace

std::string CheckoutRecord::serialize() const {
  Json rows;
  for (const auto& [path, file] : files) {
    Json row;
    row.set("sha256", file.sha256.hex());
    row.set("size", static_cast<std::int64_t>(file.size));
    // Beyond 2^53: as text.
    row.set("mtime_ns", std::to_string(file.mtime_ns));
    row.set("inode", std::to_string(file.inode));
    rows.set(path, std::move(row));
  }
  Json json;
  json.set("v", expression.empty() ? 1 : 2);
  json.set("revision", revision);
  json.set("commit", commit.is_none() ? std::string() : commit.hex());
  if (!expression.empty()) json.set("expression", expression);
  json.set("base", base.is_none() ? std::string() : base.hex());
  json.set("branch", branch);
  json.set("files", std::move(rows));
  return json.serialize();
}

CheckoutRecord CheckoutRecord::parse(std::string_view text, std::string_view what) {
  const Json json = Json::parse(text, what);
  const std::int64_t version = json.at("v").integer();
  if (version != 1 && version != 2) throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  CheckoutRecord record;
  record.revision = json.at("revision").string();
  if (version == 2) record.expression = json.at("expression").string();
  else record.commit = ObjectId::parse(json.at("commit").string(), what);
  if (!json.at("base").string().empty()) record.base = ObjectId::parse(json.at("base").string(), what);
  record.branch = json.at("branch").string();
  for (const auto& [path, row] : json.at("files").object()) {
    if (!is_safe_relative_path(path)) throw Error(ErrorCode::corrupt, std::string(what) + ": names a path outside the folder");
    FileRow file;
    file.sha256 = ObjectId::parse(row.at("sha256").string(), what);
    file.size = static_cast<std::uint64_t>(row.at("size").integer());
    file.mtime_ns = std::strtoll(row.at("mtime_ns").string().c_str(), nullptr, 10);
    file.inode = std::strtoull(row.at("inode").string().c_str(), nullptr, 10);
    record.files.emplace(path, file);
  }
  if (record.serialize() != text) throw Error(ErrorCode::corrupt, std::string(what) + ": not a record as dstore writes it");
  return record;
}

std::optional<CheckoutRecord> load_checkout_record(Filesystem& fs, const std::string& folder) {
  const std::string path = join_path(folder, kCheckoutRecord);
  if (!exists(fs, path)) return std::nullopt;
  return CheckoutRecord::parse(read_text_file(fs, path, OpenMode::read_store), path);
}

std::optional<CheckoutRecord> read_checkout_record(Filesystem& fs, const std::string& folder, const FolderLock&) {
  recover_folder(fs, folder);
  return load_checkout_record(fs, folder);
}

std::optional<CheckoutRecord> read_checkout_record(Filesystem& fs, const std::string& folder) {
  if (is_unfinished(fs, folder) || exists(fs, join_path(folder, kIntent))) return read_checkout_record(fs, folder, FolderLock(fs, folder));
  return load_checkout_record(fs, folder);
}

void write_checkout_record(Filesystem& fs, const std::string& folder, const CheckoutRecord& record) {
  write_own_file(fs, folder, kCheckoutRecord, record.serialize());
}

ObjectId hash_file(Filesystem& fs, const std::string& path) {
  const auto file = fs.open(path, OpenMode::read_store);
  Bytes buffer(1u << 20);
  Sha256 hash;
  for (std::uint64_t at = 0;;) {
    const std::size_t n = file->read_at(at, buffer);
    hash.update(ByteSpan(buffer).first(n));
    at += n;
    if (n < buffer.size()) return hash.finish();
  }
}

std::vector<FolderChange> folder_changes(Filesystem& fs, const std::string& folder, const CheckoutRecord& record, bool verify) {
  std::vector<FolderChange> out;
  for (const auto& [path, row] : record.files) {
    const std::string full = join_path(folder, path);
    const auto info = fs.stat(full, false);
    if (!info) {
      out.push_back({path, FolderChange::Kind::missing});
    } else if (info->type != FileInfo::Type::regular || info->size != row.size) {
      out.push_back({path, FolderChange::Kind::changed});
    } else if (verify || info->mtime_ns != row.mtime_ns || info->inode != row.inode) {
      // Touched or copied is not changed: the content decides, and only where the stamp differs.
      if (hash_file(fs, full) != row.sha256) out.push_back({path, FolderChange::Kind::changed});
    }
  }
  walk(fs, folder, "", record, out);
  return out;
}

bool finish_swap(Filesystem& fs, const std::string& folder) {
  const std::string intent = join_path(folder, kIntent);
  if (!exists(fs, intent)) return false;
  carry_out(fs, folder, parse_intent(read_text_file(fs, intent, OpenMode::read_store), intent));
  return true;
}

std::string list_paths(const std::vector<std::string>& paths) {
  std::string out;
  for (std::size_t i = 0; i < paths.size() && i < kListed; ++i) out += (i > 0 ? ", " : "") + printable(paths[i]);
  if (paths.size() > kListed) out += " and " + std::to_string(paths.size() - kListed) + " more";
  return out;
}

std::set<std::string> require_unchanged(Filesystem& fs, const std::string& folder, const CheckoutRecord& record, bool verify) {
  std::vector<std::string> changed;
  std::set<std::string> foreign;
  for (const FolderChange& change : folder_changes(fs, folder, record, verify)) {
    if (change.kind == FolderChange::Kind::foreign) {
      foreign.insert(change.path);
    } else {
      changed.push_back(change.path);
    }
  }
  if (!changed.empty()) throw Error(ErrorCode::conflict, printable(folder) + ": changed since its checkout: " + list_paths(changed) + "; commit or restore them first");
  return foreign;
}

void swap_folder(Filesystem& fs, const std::string& folder, const FolderSwap& swap) {
  fs.sync_directory(folder);  // an intent that names files which a power cut has taken away could not be carried out
  write_own_file(fs, folder, kIntent, intent_text(swap));
  carry_out(fs, folder, swap);
}

std::string temporary_checkout_name() { return std::string(kTemporary) + random_name(); }

void remove_leftovers(Filesystem& fs, const std::string& folder) {
  for (const std::string& name : fs.list(folder)) {
    if (name.starts_with(kTemporary)) fs.remove(join_path(folder, name));
  }
}

void make_parents(Filesystem& fs, const std::string& folder, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string dir = join_path(folder, path.substr(0, slash));
    if (fs.make_directory(dir)) {
      fs.sync_directory(parent_path(dir));
      continue;
    }
    const auto info = fs.stat(dir, false);
    if (!info || info->type != FileInfo::Type::directory) {
      throw Error(ErrorCode::conflict, printable(dir) + ": is in the way (a folder is needed here, not a file or link)");
    }
  }
}

}  // namespace dstore
