#include "repo/repository.h"

#include <cstdlib>

#include "base/atomic_file.h"
#include "dstore/error.h"
#include "object/chunked.h"
#include "odb/reserve.h"
#include "repo/forgotten.h"
#include "repo/known_heads.h"
#include "sign/signature_object.h"

namespace dstore {
namespace {

constexpr std::int64_t kConfigVersion = 1;
constexpr std::int64_t kWithoutBaseVersion = 2;  // a version 1 reader would call such a repository damaged

constexpr const char* kBaseAbsent = "; base absent: `dstore import FOLDER` or `dstore import FOLDER --link` supplies it, or give --base-from FOLDER";

RepositoryConfig read_config(Filesystem& fs, const std::string& dir) {
  const std::string path = join_path(dir, "config");
  return RepositoryConfig::parse(read_text_file(fs, path, OpenMode::read_store), path);
}

TrustStore load_trust(Filesystem& fs) { return TrustStore::load(fs, SigningConfig::from_environment()); }

}  // namespace

std::string RepositoryConfig::serialize() const {
  Json json;
  json.set("v", without_base ? kWithoutBaseVersion : kConfigVersion);
  if (without_base) json.set("without_base", 1);
  json.set("repository", repository.hex());
  Json urls;
  for (const auto& [name, url] : remotes) urls.set(name, url);
  json.set("remotes", std::move(urls));
  return json.serialize() + "\n";
}

RepositoryConfig RepositoryConfig::parse(std::string_view text, std::string_view what) {
  if (!text.ends_with('\n')) throw Error(ErrorCode::corrupt, std::string(what) + ": cut short (no line feed at the end)");
  const Json json = Json::parse(text.substr(0, text.size() - 1), what);
  const std::int64_t version = json.at("v").integer();
  if (version != kConfigVersion && version != kWithoutBaseVersion) {
    throw Error(ErrorCode::unsupported, std::string(what) + ": the repository was made by a newer dstore");
  }
  RepositoryConfig config;
  config.without_base = version == kWithoutBaseVersion;
  config.repository = ObjectId::parse(json.at("repository").string(), what);
  for (const auto& [name, url] : json.at("remotes").object()) {
    if (!RefName::is_valid(name) || name.find('/') != std::string::npos) {
      throw Error(ErrorCode::corrupt, std::string(what) + ": no remote may be called " + printable(name));
    }
    config.remotes.emplace(name, url.string());
  }
  if (config.repository.is_none() || config.serialize() != text) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": not a configuration of version " + std::to_string(version));
  }
  return config;
}

/// What is opened late, if at all.
struct Repository::Caches {
  /// The hints of one folder of refs, rows of catalog.db: the key is FOLDER/NAME, the content a sequence number.
  class Hints : public RefHints {
   public:
    Hints(Caches& caches, std::string log) : caches_(caches), log_(std::move(log)) {}
    std::uint64_t find(const RefName& ref) override {
      const auto row = caches_.file().find(CatalogFile::Kind::last_entry, ObjectId(), as_bytes(key(ref)));
      return row && row->size() == sizeof(std::uint64_t) ? Reader(*row, "catalog").u64() : 0;
    }
    void put(const RefName& ref, std::uint64_t sequence) override {
      Writer content;
      content.u64(sequence);
      caches_.file().put(CatalogFile::Kind::last_entry, ObjectId(), as_bytes(key(ref)), content.take());
    }
    std::vector<KnownHead> heads() override { return load_heads(caches_.file(), log_); }
    void put_heads(const std::vector<KnownHead>& heads) override { keep_heads(caches_.file(), log_, heads); }

   private:
    std::string key(const RefName& ref) const { return join_path(log_, ref.text()); }
    Caches& caches_;
    const std::string log_;
  };

  Caches(Filesystem& filesystem, std::string directory, const ObjectId& id) : fs(filesystem), dir(std::move(directory)), repository(id) {}

  CatalogFile& file() {
    const std::lock_guard lock(mutex);
    if (!opened) opened = std::make_unique<CatalogFile>(fs, dir, repository);
    return *opened;
  }
  Hints& hints_of(const std::string& log) {
    const std::lock_guard lock(mutex);
    return hints.try_emplace(log, *this, log).first->second;
  }

  Filesystem& fs;
  const std::string dir;
  const ObjectId repository;
  std::mutex mutex;
  std::unique_ptr<CatalogFile> opened;
  std::map<std::string, Hints> hints;
};

Repository::Repository(Filesystem& fs, std::string dir, RepositoryConfig config, ObjectStore store, IndexMode mode)
    : fs_(&fs), dir_(std::move(dir)), config_(std::move(config)), store_(std::move(store)), trust_(load_trust(fs)) {
  explain_missing_chunks();
  if (mode == IndexMode::database) caches_ = std::make_shared<Caches>(fs, dir_, config_.repository);
}

void Repository::explain_missing_chunks() {
  if (config_.without_base) store_.explain_missing_chunks(kBaseAbsent);
}

CatalogFile* Repository::catalog() const { return caches_ ? &caches_->file() : nullptr; }

RefHints* Repository::ref_hints(const std::string& log) const { return caches_ ? &caches_->hints_of(log) : nullptr; }

bool Repository::is_repository(Filesystem& fs, const std::string& dir) {
  return exists(fs, join_path(dir, "config")) && exists(fs, join_path(dir, "packs"));
}

Repository Repository::create(Filesystem& fs, const std::string& dir, IndexMode mode) {
  if (is_repository(fs, dir)) throw Error(ErrorCode::conflict, printable(dir) + ": is a dstore repository already");
  make_directories(fs, dir);
  ObjectStore::create(fs, dir);
  RepositoryConfig config;
  config.repository = ObjectId::parse(random_name() + random_name(), "repository id");
  // The config comes last: a folder without it is not a repository yet.
  AtomicFile file(fs, join_path(dir, "config"));
  file.write(as_bytes(config.serialize()));
  if (!file.commit_new()) throw Error(ErrorCode::conflict, printable(dir) + ": is a dstore repository already");
  keep_reserve(fs, dir);
  return open(fs, dir, mode);
}

Repository Repository::open(Filesystem& fs, const std::string& dir, IndexMode mode) {
  if (!is_repository(fs, dir)) throw Error(ErrorCode::not_found, printable(dir) + ": not a dstore repository");
  RepositoryConfig config = read_config(fs, dir);
  return Repository(fs, dir, std::move(config), ObjectStore::open(fs, dir, mode), mode);
}

Repository Repository::discover(Filesystem& fs, const std::string& start) {
  char* resolved = ::realpath(start.c_str(), nullptr);
  if (resolved == nullptr) throw Error(ErrorCode::not_found, printable(start) + ": no such folder");
  std::string dir = resolved;
  std::free(resolved);
  for (;;) {
    const std::string candidate = join_path(dir, kStoreFolder);
    if (is_repository(fs, candidate)) return open(fs, candidate, IndexMode::database);
    if (dir == "/") break;
    dir = parent_path(dir);
  }
  throw Error(ErrorCode::not_found, "no dstore repository at or above " + printable(start) + "; make one with `dstore init`");
}

std::vector<RefLog> Repository::mirrors() const {
  std::vector<RefLog> out;
  const std::string folder = path("remotes");
  if (!exists(*fs_, folder)) return out;
  for (const std::string& name : fs_->list(folder)) out.push_back(remote_refs(name));
  return out;
}

void Repository::save_config(RepositoryConfig config) {
  const Lease lease = store_.lease();  // a collection leaves the temporary file alone
  write_file_atomically(*fs_, path("config"), as_bytes(config.serialize()));
  config_ = std::move(config);
  explain_missing_chunks();
}

Commit Repository::read_commit(const ObjectId& id) const {
  return Commit::parse(store_.read(ObjectKind::commit, id), "commit " + id.short_hex());
}

std::vector<Bytes> Repository::signature_blobs(const ObjectId& target) const {
  std::vector<Bytes> blobs;
  for (const ObjectId& id : store_.signatures_of(target)) {
    try {
      SignatureObject object = SignatureObject::parse(store_.read(ObjectKind::signature, id), "signature " + id.short_hex());
      if (object.target == target) blobs.push_back(std::move(object.blob));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::io) throw;
      // Anybody can put a broken one beside a good one; an empty blob counts as a bad signature, never as none.
      blobs.emplace_back();
    }
  }
  return blobs;
}

CheckedCommit Repository::check_commit(const ObjectId& id) const {
  const Bytes bytes = store_.read(ObjectKind::commit, id);
  CheckedCommit checked{id, Commit::parse(bytes, "commit " + id.short_hex()), {}};
  checked.signature = trust_.check(signature_blobs(id), kCommitNamespace, bytes);
  return checked;
}

CheckedCommit Repository::require_commit(const ObjectId& id) const {
  if (const auto record = forgotten_record(*this, id)) {
    throw Error(ErrorCode::not_found, "commit " + id.short_hex() + " was " + describe_forgotten(*this, *record) + ": its content is not kept any more");
  }
  CheckedCommit checked = check_commit(id);
  if (checked.signature.verdict != Verdict::unsigned_) checked.signature.require_good("commit " + id.short_hex());
  return checked;
}

void Repository::read_file_object(const ObjectId& id, const std::function<void(ByteSpan)>& visit) const {
  const FileObject file = FileObject::parse(store_.read(ObjectKind::file, id), "file " + id.short_hex());
  Bytes buffer;
  for (std::size_t i = 0; i < file.chunks.size(); ++i) {
    buffer.resize(chunk_size(file.bytes, i));
    store_.read_into(ObjectKind::chunk, file.chunks[i], buffer);
    visit(buffer);
  }
}

Bytes Repository::read_file_object(const ObjectId& id) const {
  Bytes out;
  read_file_object(id, [&](ByteSpan chunk) { out.insert(out.end(), chunk.begin(), chunk.end()); });
  return out;
}

std::uint64_t Repository::file_object_size(const ObjectId& id) const {
  return FileObject::parse(store_.read(ObjectKind::file, id), "file " + id.short_hex()).bytes;
}

}  // namespace dstore
