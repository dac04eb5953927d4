#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "dstore/error.h"
#include "repo/commit_task.h"
#include "repo/composed_checkpoint.h"
#include "repo/overlay_source.h"

namespace dstore {
namespace {

/// The side files of the stage over those of what it was trained from.
std::map<std::string, PlainFile> side_files(PackSession& session, Filesystem& fs, const Stage& stage,
                                             std::map<std::string, PlainFile> files) {
  const std::string folder = join_path(stage.folder, "files");
  if (!exists(fs, folder)) return files;
  for (const std::string& name : fs.list(folder)) {
    if (!is_safe_relative_path(name)) throw Error(ErrorCode::corrupt, join_path(folder, printable(name)) + ": no checkpoint may hold a file of that name");
    files[name] = PlainFile{write_file(session, read_file(fs, join_path(folder, name), OpenMode::read_store)), {}};
  }
  return files;
}

std::string require_string(const nlohmann::json& json, const char* key, const std::string& what) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_string()) throw Error(ErrorCode::corrupt, what + ": \"" + key + "\" is missing or not a string");
  return it->get<std::string>();
}

std::int64_t require_count(const nlohmann::json& json, const std::string& what) {
  const auto it = json.find("n");
  if (it == json.end() || !it->is_number_integer()) throw Error(ErrorCode::corrupt, what + ": \"n\" is missing or not an integer");
  return it->get<std::int64_t>();
}

std::string stage_path(const Repository& repository, const RefName& name) { return repository.path("staged/" + name.encode()); }

/// "~" is in no encoded ref name.
constexpr std::string_view kReplacement = "~new";

/// Puts a stage that was published in the place of an older one; also what an interrupted publish_stage() left to do.
void finish_replacement(const Repository& repository, const std::string& target) {
  Filesystem& fs = repository.fs();
  const std::string replacement = target + std::string(kReplacement);
  if (!exists(fs, replacement)) return;
  if (exists(fs, target)) {
    const std::string aside = repository.path("tmp/stage-" + random_name());
    fs.rename(target, aside);
    fs.rename(replacement, target);
    remove_tree(fs, aside);
  } else {
    fs.rename(replacement, target);
  }
  fs.sync_directory(parent_path(target));
}

/// In one step for whoever looks for stages: a part of one would not be readable.
void remove_stage(const Repository& repository, const std::string& folder) {
  Filesystem& fs = repository.fs();
  try {
    const std::string aside = repository.path("tmp/stage-" + random_name());
    fs.rename(folder, aside);
    fs.sync_directory(parent_path(folder));
    remove_tree(fs, aside);
  } catch (const Error&) {
    // The commit is made. A stage that stays is found to be committed by the next commit of it; what is in tmp/ means nothing.
  }
}

void sync_tree(Filesystem& fs, const std::string& folder) {
  for (const std::string& name : fs.list(folder)) {
    const std::string path = join_path(folder, name);
    if (fs.stat(path, false)->type == FileInfo::Type::directory) {
      sync_tree(fs, path);
    } else {
      fs.open(path, OpenMode::write)->sync();
    }
  }
  fs.sync_directory(folder);
}

}  // namespace

void publish_stage(Repository& repository, const std::string& folder, const RefName& name, const ObjectId& base) {
  Filesystem& fs = repository.fs();
  Json json;
  json.set("v", 1);
  json.set("name", name.text());
  json.set("base", base.hex());
  write_file_atomically(fs, join_path(folder, "base.json"), as_bytes(json.serialize()));
  sync_tree(fs, folder);
  const std::string target = stage_path(repository, name);
  make_directories(fs, parent_path(target));
  finish_replacement(repository, target);
  // A folder cannot replace a full one in a single step. The new stage first gets its place under the name that
  // finish_replacement() knows: from here on it cannot be lost.
  fs.rename(folder, target + std::string(kReplacement));
  fs.sync_directory(parent_path(target));
  finish_replacement(repository, target);
}

std::vector<std::string> list_stages(const Repository& repository) {
  std::vector<std::string> names;
  const std::string folder = repository.path("staged");
  if (!exists(repository.fs(), folder)) return names;
  for (const std::string& entry : repository.fs().list(folder)) {
    if (entry.ends_with(kReplacement)) finish_replacement(repository, join_path(folder, entry.substr(0, entry.size() - kReplacement.size())));
  }
  for (const std::string& entry : repository.fs().list(folder)) {
    if (const auto name = RefName::decode(entry)) names.push_back(name->text());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Stage read_stage(const Repository& repository, const RefName& name) {
  Filesystem& fs = repository.fs();
  Stage stage;
  stage.name = name.text();
  stage.folder = stage_path(repository, name);
  finish_replacement(repository, stage.folder);
  if (!exists(fs, stage.folder)) {
    throw Error(ErrorCode::not_found, "nothing is staged under the name " + name.text() + "; `dstore train ... --name " + name.text() + "` makes it");
  }
  const std::string base_path = join_path(stage.folder, "base.json");
  const Json base = Json::parse(read_text_file(fs, base_path, OpenMode::read_store), base_path);
  stage.base = ObjectId::parse(base.at("base").string(), base_path);
  const std::string path = join_path(stage.folder, "stage.json");
  const auto json = nlohmann::json::parse(read_text_file(fs, path, OpenMode::read_store), nullptr, false);
  if (!json.is_object() || !json.contains("version") || json["version"] != 1) throw Error(ErrorCode::corrupt, path + ": not a stage of version 1");
  stage.base_prefix = require_string(json, "base_prefix", path);
  const auto training = json.find("training");
  if (training == json.end() || !training->is_object()) throw Error(ErrorCode::corrupt, path + ": \"training\" is missing");
  for (const auto& [key, value] : training->items()) {
    if (!value.is_string()) throw Error(ErrorCode::corrupt, path + ": training fact " + key + " is not a string");
    stage.training.emplace(key, value.get<std::string>());
  }
  for (const auto& row : json.value("metrics", nlohmann::json::array())) {
    stage.metrics.push_back({require_string(row, "split", path), require_string(row, "metric", path), require_string(row, "value", path),
                             require_count(row, path), require_string(row, "data_sha256", path)});
  }
  return stage;
}

CommitReport commit_stage(Repository& repository, const Stage& stage, const std::string& message, const Committer& committer,
                          const Progress& progress, Profile profile) {
  const CheckedCommit trained_from = repository.require_commit(stage.base);
  const ObjectId base_id = trained_from.commit.base.value_or(stage.base);
  const Commit base_commit = repository.require_commit(base_id).commit;
  const ModelFiles base_files = load_commit_files(repository, base_commit);
  const StoredWeights& base = *base_files.weights;
  const CheckpointFolder folder(repository.fs(), stage.folder);
  const TensorSource& staged = folder.tensors();
  const bool from_task = trained_from.commit.is_task();
  const auto started_from = from_task ? load_weights(repository, trained_from.commit) : nullptr;
  const std::vector<Pairing> pairs = pair_up(from_task ? *started_from : base, staged, stage.base_prefix);
  const OverlaySource result(from_task ? *started_from : base, staged, pairs);

  CommitReport report;
  PackSession session = repository.store().begin_write(profile);
  report.delta = from_task ? write_delta(session, base, result, pairs_of_delta(base, result, read_delta(repository, trained_from.commit)), 0, progress)
                           : write_delta(session, base, staged, pairs, 0, progress);

  auto files = side_files(session, repository.fs(), stage, from_task ? load_commit_files(repository, trained_from.commit).files : base_files.files);
  CheckpointTable checkpoint = compose_checkpoint(session, base_files.shards, report.delta.table, result, std::move(files), report.folder_bytes);

  Commit commit;
  commit.checkpoint = session.add(ObjectKind::checkpoint, checkpoint.serialize());
  commit.delta = report.delta.id;
  commit.base = base_id;
  if (from_task) commit.derived_from.push_back(stage.base);
  commit.message = message;
  commit.training = stage.training;
  commit.metrics = stage.metrics;
  const RefName branch = RefName::parse(stage.name);
  // Killed after its commit, before the stage was removed: this is that very result again.
  const auto head = repository.refs().head(branch);
  if (head && head->kind == RefKind::branch && !head->is_deletion()) {
    const Commit present = repository.read_commit(head->new_commit);
    if (present.checkpoint == commit.checkpoint && present.training == commit.training) {
      report.commit = head->new_commit;
      report.unchanged = true;
      remove_stage(repository, stage.folder);
      return report;
    }
  }
  report.commit = publish_commit(repository, session, std::move(commit), branch, committer);
  report.stored_bytes = session.bytes_stored();
  remove_stage(repository, stage.folder);
  return report;
}

}  // namespace dstore
