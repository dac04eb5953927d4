#include "odb/lease.h"

#include <unistd.h>

#include <utility>

#include "base/json.h"
#include "dstore/error.h"
#include "odb/condemned.h"

namespace dstore {
namespace {

constexpr std::uint64_t kReliesOnNothing = (std::uint64_t{1} << 53) - 1;
constexpr std::size_t kNameDigits = 32;
constexpr int kAttempts = 100;  ///< each failed one met a collection that was looking at the new file

std::string leases_dir(const std::string& dir) { return join_path(dir, "leases"); }

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? std::string(name) : std::string("an unknown host");
}

/// A lease that is being written, or was made by a newer dstore, is one of which nothing is known.
LeaseInfo parse_lease(const std::string& name, std::string_view text) {
  LeaseInfo info{name, 0, {}, "a process that has just started"};
  try {
    const Json json = Json::parse(text, "lease");
    info.holder = "process " + std::to_string(json.at("process").integer()) + " on " + printable(json.at("host").string());
    for (const Json& id : json.at("keeps").array()) info.keeps.push_back(ObjectId::parse(id.string(), "lease"));
    info.generation = static_cast<std::uint64_t>(json.at("generation").integer());
  } catch (const Error&) {
    info.generation = 0;
  }
  return info;
}

/// The first name's own file is what is locked: nobody has removed it meanwhile.
bool is_at(Filesystem& fs, File& file, const std::string& path) {
  const auto found = fs.stat(path, false);
  const FileInfo own = file.info();
  return found && found->inode == own.inode && found->device == own.device;
}

}  // namespace

Lease::Lease(Filesystem& fs, std::string name, std::string path, std::unique_ptr<File> file)
    : fs_(fs), name_(std::move(name)), path_(std::move(path)), file_(std::move(file)) {}

Lease Lease::take(Filesystem& fs, const std::string& dir) {
  fs.make_directory(leases_dir(dir));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string name = random_name();
    const std::string path = join_path(leases_dir(dir), name);
    Lease lease(fs, name, path, fs.open(path, OpenMode::create_new));
    bool locked = true;
    try {
      locked = lease.file_->try_lock(LockMode::exclusive);
    } catch (const Error&) {
      // No locks here: see lock_excludes().
    }
    if (!locked || !is_at(fs, *lease.file_, path)) continue;  // a collection took the new file for a dead one
    // The order matters: a collection that condemns packs after this read finds the lock, and a number below its own.
    const Condemned condemned = read_condemned(fs, dir);
    lease.condemned_ = {condemned.packs.begin(), condemned.packs.end()};
    lease.write(condemned.generation, {});
    return lease;
  }
  throw Error(ErrorCode::conflict, printable(leases_dir(dir)) + ": no lease could be taken; try again");
}

Lease::Lease(Lease&& other) noexcept
    : fs_(other.fs_), name_(std::move(other.name_)), path_(std::exchange(other.path_, {})), file_(std::move(other.file_)),
      condemned_(std::move(other.condemned_)) {}

Lease::~Lease() {
  if (path_.empty()) return;
  try {
    fs_.remove(path_);
  } catch (const Error&) {
    // A collection removes what is left.
  }
}

void Lease::write(std::uint64_t generation, const std::vector<ObjectId>& keeps) {
  Json::Array ids;
  for (const ObjectId& id : keeps) ids.emplace_back(id.hex());
  Json json;
  json.set("generation", static_cast<std::int64_t>(generation));
  json.set("host", host_name());
  json.set("keeps", Json(std::move(ids)));
  json.set("process", static_cast<std::int64_t>(::getpid()));
  const std::string text = json.serialize();
  file_->truncate(0);
  file_->write_at(0, as_bytes(text));
}

void Lease::rely_only_on(const std::vector<ObjectId>& commits) { write(kReliesOnNothing, commits); }

std::vector<LeaseInfo> live_leases(Filesystem& fs, const std::string& dir) {
  std::vector<LeaseInfo> live;
  if (!exists(fs, leases_dir(dir))) return live;
  for (const std::string& name : fs.list(leases_dir(dir))) {
    if (name.size() != kNameDigits) continue;
    const std::string path = join_path(leases_dir(dir), name);
    try {
      const auto file = fs.open(path, OpenMode::read_store);
      if (file->try_lock(LockMode::shared)) {
        fs.remove(path);  // its process is gone
        continue;
      }
      Bytes bytes(file->info().size);
      bytes.resize(file->read_at(0, bytes));
      live.push_back(parse_lease(name, as_text(bytes)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;  // it ended while we looked
    }
  }
  return live;
}

bool lock_excludes(Filesystem& fs, const std::string& path) {
  const auto file = fs.open(path, OpenMode::write);
  try {
    return !file->try_lock(LockMode::exclusive);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace dstore
