#include "trainer/loop/run_folder.h"

#include <algorithm>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/unfinished_runs.h"

namespace dstore {
namespace {

// spec/repository.md, "Runs"
constexpr std::string_view kMagic = "DSTORERS";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderSize = 8 + 4 + 4 + 8 + 32;
constexpr std::size_t kDigestSize = 32;
constexpr std::size_t kKept = 2;
constexpr std::size_t kBufferSize = std::size_t{1} << 20;

Bytes state_header(long step, const ObjectId& run) {
  Writer writer;
  writer.text(kMagic);
  writer.u32(kVersion);
  writer.u32(0);
  writer.u64(static_cast<std::uint64_t>(step));
  writer.id(run);
  return writer.take();
}

/// Appends to a file by the megabyte, and digests.
class StateWriter {
 public:
  explicit StateWriter(AtomicFile& file) : file_(file) {}
  void write(ByteSpan bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    if (buffer_.size() >= kBufferSize) flush();
  }
  void finish() {
    flush();
    const ObjectId digest = hash_.finish();
    file_.write(digest.bytes());
  }

 private:
  void flush() {
    hash_.update(buffer_);
    file_.write(buffer_);
    buffer_.clear();
  }

  AtomicFile& file_;
  Sha256 hash_;
  Bytes buffer_;
};

[[noreturn]] void fail_damaged(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::corrupt, printable(path) + ": " + what);
}

/// What lies between header and digest.
ByteSpan checked_state(ByteSpan bytes, const std::string& path, long step, const ObjectId& run) {
  if (bytes.size() < kHeaderSize + kDigestSize) fail_damaged(path, "damaged: the file is cut off");
  const ByteSpan content = bytes.first(bytes.size() - kDigestSize);
  Reader reader(bytes, printable(path));
  if (reader.text(kMagic.size()) != kMagic) fail_damaged(path, "not a saved state of a training");
  const std::uint32_t version = reader.u32();
  if (version != kVersion) {
    throw Error(ErrorCode::unsupported, printable(path) + ": a saved state of version " + std::to_string(version) +
                ", which this dstore does not read");
  }
  const ObjectId digest = sha256(content);
  if (!std::equal(digest.bytes().begin(), digest.bytes().end(), bytes.last(kDigestSize).begin())) {
    fail_damaged(path, "damaged: its bytes do not have its digest");
  }
  reader.u32();
  if (reader.u64() != static_cast<std::uint64_t>(step)) fail_damaged(path, "the saved state is of another step than its name says");
  if (reader.id() != run) fail_damaged(path, "the saved state of another run: other options, data or base");
  return content.subspan(kHeaderSize);
}

Json to_json(const RunConfig& config) {
  Json::Object object;
  for (const auto& [name, values] : config) {
    Json::Array array;
    for (const std::string& value : values) array.emplace_back(value);
    object.emplace(name, Json(std::move(array)));
  }
  return Json(std::move(object));
}

}  // namespace

std::string resume_command(const std::string& task) { return "`dstore train --resume " + printable(task) + "`"; }

ObjectId RunRecord::id() const {
  Json json;
  json.set("base", base);
  json.set("data", data);
  json.set("config", to_json(identity_of(config)));
  return sha256(as_bytes(json.serialize()));
}

RunConfig RunRecord::config_here() const {
  RunConfig here = config;
  if (std::filesystem::current_path().string() == directory) return here;
  for (auto& [name, values] : here) {
    if (!is_path(name)) continue;
    for (std::string& value : values) value = value.starts_with("/") ? value : join_path(directory, value);
  }
  return here;
}

RunFolder::RunFolder(std::string path, std::string task) : path_(std::move(path)), task_(std::move(task)) {
  Filesystem& fs = posix_filesystem();
  make_directories(fs, path_);
  lock_ = fs.open(file("lock"), OpenMode::open_or_create);
  if (!lock_->try_lock(LockMode::exclusive)) {
    throw Error(ErrorCode::conflict, "another training of " + printable(task_) + " is at work in " + printable(path_) + ": wait for it or stop it");
  }
  for (const std::string& name : fs.list(path_)) {
    if (name.starts_with(".tmp-")) fs.remove(join_path(path_, name));
  }
}

bool RunFolder::started() const { return exists(posix_filesystem(), file("run.json")); }

RunRecord RunFolder::record() const {
  const std::string path = file("run.json");
  const Json json = Json::parse(read_text_file(posix_filesystem(), path, OpenMode::read_store), printable(path));
  for (const char* key : {"v", "base", "data", "directory", "config", "changes"}) {
    if (json.find(key) == nullptr) throw Error(ErrorCode::corrupt, printable(path) + ": \"" + key + "\" is missing; start anew with --restart");
  }
  if (json.at("v") != Json(1)) throw Error(ErrorCode::unsupported, printable(path) + ": not a run of version 1");
  RunRecord record{json.at("base").string(), json.at("data").string(), json.at("directory").string(), {}, json.at("changes").string()};
  for (const auto& [name, values] : json.at("config").object()) {
    for (const Json& value : values.array()) record.config[name].push_back(value.string());
  }
  return record;
}

void RunFolder::write_record(const RunRecord& record) {
  Filesystem& fs = posix_filesystem();
  if (!record.base.empty()) {
    Json base;
    base.set("base", record.base);
    base.set("v", 1);
    write_file_atomically(fs, file("base.json"), as_bytes(base.serialize()));
  }
  Json json;
  json.set("v", 1);
  json.set("base", record.base);
  json.set("data", record.data);
  json.set("directory", record.directory);
  json.set("changes", record.changes);
  json.set("config", to_json(record.config));
  write_file_atomically(fs, file("run.json"), as_bytes(json.serialize()));
}

void RunFolder::clear() {
  Filesystem& fs = posix_filesystem();
  if (started()) fs.remove(file("run.json"));  // first: without it there is no run
  for (const std::string& name : fs.list(path_)) {
    if (name != "lock") fs.remove(join_path(path_, name));
  }
}

std::vector<long> RunFolder::saved_steps() const { return dstore::saved_steps(posix_filesystem(), path_); }

void RunFolder::save(long step, const ObjectId& run, const Exchange& exchange) {
  AtomicFile out(posix_filesystem(), state_path(path_, step));
  StateWriter writer(out);
  writer.write(state_header(step, run));
  StateArchive archive([&](std::span<const std::byte> bytes) { writer.write(bytes); });
  exchange(archive);
  writer.finish();
  out.commit();
  const std::vector<long> steps = saved_steps();
  for (std::size_t i = 0; i + kKept < steps.size(); ++i) posix_filesystem().remove(state_path(path_, steps[i]));
  if (rates_may_differ()) posix_filesystem().remove(file("not-finite"));
}

void RunFolder::load(long step, const ObjectId& run, const Exchange& exchange) const {
  const std::string path = state_path(path_, step);
  if (!exists(posix_filesystem(), path)) {
    std::string kept;
    for (const long other : saved_steps()) kept += (kept.empty() ? "" : ", ") + std::to_string(other);
    throw Error(ErrorCode::not_found, "no saved state of " + printable(task_) + " after step " + std::to_string(step) +
                (kept.empty() ? "" : " (saved: " + kept + ")"));
  }
  const Mapping mapping = posix_filesystem().map(path);
  try {
    StateArchive archive(checked_state(mapping.bytes, path, step, run));
    exchange(archive);
    archive.finish();
  } catch (const Error& error) {
    const std::vector<long> steps = saved_steps();
    const auto at = std::find(steps.begin(), steps.end(), step);
    const std::string before = at == steps.begin() || at == steps.end() ? "no other is left: start anew with --restart"
                                                                        : "the one before goes on with --from-step " + std::to_string(*(at - 1));
    throw Error(error.code(), std::string(error.what()) + "; " + before);
  }
}

std::optional<long> RunFolder::not_finite_after(long step) {
  const std::vector<long> steps = saved_steps();
  if (std::find(steps.begin(), steps.end(), step) != steps.end()) posix_filesystem().remove(state_path(path_, step));
  write_file_atomically(posix_filesystem(), file("not-finite"), {});
  const std::vector<long> left = saved_steps();
  return left.empty() ? std::nullopt : std::optional(left.back());
}

void RunFolder::remove_after(long step) {
  for (const long saved : saved_steps()) {
    if (saved > step) posix_filesystem().remove(state_path(path_, saved));
  }
}

bool RunFolder::rates_may_differ() const { return exists(posix_filesystem(), file("not-finite")); }

}  // namespace dstore
