#include "repo/bundle.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/evaluations.h"
#include "repo/forgotten.h"
#include "repo/model_version.h"

namespace dstore {
namespace {

constexpr std::string_view kMagic = "DSTOREBN";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kWrite = 4u << 20;

/// A part of the file.
struct PackRow {
  ObjectId name;
  std::uint64_t size = 0;
};

struct Head {
  std::vector<PackRow> packs;
  std::map<std::string, ObjectId> tasks;
};

std::string head_text(const Head& head) {
  Json::Array packs;
  for (const PackRow& pack : head.packs) {
    Json row;
    row.set("name", pack.name.hex());
    row.set("size", static_cast<std::int64_t>(pack.size));
    packs.push_back(std::move(row));
  }
  Json tasks;
  for (const auto& [name, commit] : head.tasks) tasks.set(name, commit.hex());
  Json json;
  json.set("v", 1);
  json.set("packs", Json(std::move(packs)));
  json.set("tasks", std::move(tasks));
  return json.serialize();
}

Bytes serialize(const Head& head) {
  const std::string text = head_text(head);
  Writer out;
  out.text(kMagic);
  out.u32(kVersion);
  out.sized_text(text);
  return out.take();
}

Head parse_head(std::string_view text, const std::string& what) {
  const Json json = Json::parse(text, what);
  if (json.at("v").integer() != 1) throw Error(ErrorCode::unsupported, what + ": made by a newer dstore");
  Head head;
  for (const Json& row : json.at("packs").array()) {
    head.packs.push_back({ObjectId::parse(row.at("name").string(), what), static_cast<std::uint64_t>(row.at("size").integer())});
  }
  for (const auto& [name, commit] : json.at("tasks").object()) {
    if (!RefName::is_valid(name)) throw Error(ErrorCode::corrupt, what + ": no task may be called " + printable(name));
    head.tasks.emplace(name, ObjectId::parse(commit.string(), what));
  }
  if (head.tasks.empty() || head_text(head) != text) throw Error(ErrorCode::corrupt, what + ": not a bundle of version 1");
  return head;
}

Repository make_repository(Filesystem& fs, const std::string& folder) {
  Repository repository = Repository::create(fs, folder, IndexMode::memory);
  RepositoryConfig config = repository.config();
  config.without_base = true;
  repository.save_config(std::move(config));
  return Repository::open(fs, folder, IndexMode::memory);
}

/// Everything in the history of `tasks` but them and their bases: their content is left out.
std::set<ObjectId> history_of(const Repository& repository, const std::vector<ModelVersion>& tasks) {
  std::set<ObjectId> wanted, seen;
  std::vector<ObjectId> stack;
  for (const ModelVersion& task : tasks) {
    const Commit& commit = task.commit.commit;
    if (!task.commit.id.is_none()) wanted.insert(task.commit.id);
    wanted.insert(*commit.base);
    stack.insert(stack.end(), commit.parents.begin(), commit.parents.end());
    stack.insert(stack.end(), commit.derived_from.begin(), commit.derived_from.end());
    stack.push_back(*commit.base);
  }
  while (!stack.empty()) {
    const ObjectId id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second || !repository.store().contains(id)) continue;
    const Commit commit = repository.read_commit(id);
    stack.insert(stack.end(), commit.parents.begin(), commit.parents.end());
    stack.insert(stack.end(), commit.derived_from.begin(), commit.derived_from.end());
    if (commit.base) stack.push_back(*commit.base);
  }
  std::set<ObjectId> others = forgotten_commits(repository);
  std::set_difference(seen.begin(), seen.end(), wanted.begin(), wanted.end(), std::inserter(others, others.end()));
  return others;
}

}  // namespace

BundleReport create_bundle(const Repository& repository, const std::vector<BundleEntry>& entries, const std::string& file, bool replace, const Committer& committer,
                           const Progress& progress) {
  Filesystem& fs = repository.fs();
  const std::string exists_already = printable(file) + ": exists already; choose another name, or give --force";
  if (!replace && exists(fs, file)) throw Error(ErrorCode::conflict, exists_already);
  std::vector<ModelVersion> tasks;
  for (const BundleEntry& entry : entries) {
    tasks.push_back(open_version(repository, entry.source, progress));
    if (!tasks.back().delta) require_task(tasks.back().commit, entry.source.text);
  }
  const std::set<ObjectId> others = history_of(repository, tasks);
  const TemporaryFolder folder(fs, TemporaryFolder::beside(file));
  Repository packed = make_repository(fs, folder.path());
  BundleReport report;
  Head head;
  {
    PackSession session = packed.store().begin_write();
    CommitKeeper keeper(packed);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const ObjectId id = store_version(repository, session, keeper, others, tasks[i], committer, progress);
      const std::string name = entries[i].name.empty() ? id.short_hex() : entries[i].name;
      if (!head.tasks.emplace(name, id).second) throw Error(ErrorCode::invalid_argument, "two tasks of the bundle would be called " + printable(name));
      report.tasks.push_back({name, id});
      copy_commits(repository, session, keeper, {id}, others, progress);
    }
    copy_evaluations(repository, packed, session, others);
    session.commit();
  }
  std::vector<Mapping> packs;
  for (const ObjectId& name : packed.store().packs()) {
    packs.push_back(fs.map(packed.store().pack_path(name)));
    head.packs.push_back({name, packs.back().bytes.size()});
  }
  AtomicFile out(fs, file);
  Sha256 hash;
  const auto put = [&](ByteSpan bytes) {
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(kWrite, bytes.size()))) {
      out.write(bytes.first(std::min(kWrite, bytes.size())));
      hash.update(bytes.first(std::min(kWrite, bytes.size())));
    }
  };
  put(serialize(head));
  for (const Mapping& pack : packs) put(pack.bytes);
  out.write(hash.finish().bytes());
  report.size = out.size();
  if (replace) {
    out.commit();
  } else if (!out.commit_new()) {
    throw Error(ErrorCode::conflict, exists_already);
  }
  return report;
}

bool Bundle::is_bundle(Filesystem& fs, const std::string& file) {
  const auto info = fs.stat(file, true);
  if (!info || info->type != FileInfo::Type::regular) return false;
  Bytes magic(kMagic.size());
  return fs.open(file, OpenMode::read)->read_at(0, magic) == magic.size() && as_text(magic) == kMagic;
}

Bundle::Bundle(Filesystem& fs, const std::string& file, const std::string& beside) : file_(printable(file)) {
  const Mapping mapping = fs.map(file);
  if (mapping.bytes.size() < ObjectId::kSize) throw Error(ErrorCode::corrupt, file_ + ": too short for a bundle");
  const ByteSpan body = mapping.bytes.first(mapping.bytes.size() - ObjectId::kSize);
  Reader reader(body, file_);
  if (reader.text(kMagic.size()) != kMagic) throw Error(ErrorCode::corrupt, file_ + ": not a bundle");
  if (reader.u32() != kVersion) throw Error(ErrorCode::unsupported, file_ + ": made by a newer dstore");
  if (!std::ranges::equal(sha256(body).bytes(), mapping.bytes.last(ObjectId::kSize))) {
    throw Error(ErrorCode::corrupt, file_ + ": its digest is wrong: it is damaged or was cut short; get it again");
  }
  const Head head = parse_head(reader.sized_text(), file_);
  folder_.emplace(fs, TemporaryFolder::beside(beside));
  Repository made = make_repository(fs, folder_->path());
  for (const PackRow& pack : head.packs) {
    const ByteSpan bytes = reader.bytes(pack.size);
    fs.open(made.store().pack_path(pack.name), OpenMode::create_new)->write_at(0, bytes);
  }
  reader.expect_end();
  repository_.emplace(Repository::open(fs, folder_->path(), IndexMode::memory));
  tasks_ = head.tasks;
  for (const auto& [name, commit] : tasks_) {
    if (!repository_->store().contains(commit)) throw Error(ErrorCode::corrupt, file_ + ": has not the commit of its task " + printable(name));
  }
}

BundledTask Bundle::choose(const std::string& name, bool allow_unsigned) const {
  std::string list;
  for (const auto& [known, commit] : tasks_) list += (list.empty() ? "" : ", ") + known;
  if (name.empty() && tasks_.size() > 1) throw Error(ErrorCode::invalid_argument, file_ + ": has several tasks (" + list + "); say which one: --task NAME");
  const auto found = name.empty() ? tasks_.begin() : tasks_.find(name);
  if (found == tasks_.end()) throw Error(ErrorCode::not_found, file_ + ": has no task " + printable(name) + "; it has " + list);
  const auto judge = [&](const ObjectId& id) {
    const CheckedCommit checked = repository_->check_commit(id);
    if (checked.signature.verdict != Verdict::unsigned_ || !allow_unsigned) checked.signature.require_good(file_ + ": commit " + id.short_hex());
    return checked.commit;
  };
  const Commit task = judge(found->second);
  if (task.base) judge(*task.base);
  return {found->first, found->second};
}

}  // namespace dstore
