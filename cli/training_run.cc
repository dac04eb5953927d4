#include "training_run.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "dstore/error.h"
#include "repo/revision.h"
#include "repo/unfinished_runs.h"

namespace dstore::cli {
namespace {

ObjectId trainable(Repository& repository, const std::string& revision) {
  const ObjectId base = resolve_commit(repository, revision);
  repository.require_commit(base);
  return base;
}

/// The commit that the trainer really read: the branch may have moved between our look at it and the trainer's.
ObjectId trained_from(Filesystem& fs, const std::string& out, const ObjectId& resolved) {
  const auto json = nlohmann::json::parse(read_text_file(fs, join_path(out, "stage.json")), nullptr, false);
  if (!json.is_object() || !json.contains("model_commit") || !json["model_commit"].is_string()) return resolved;
  return ObjectId::parse(json["model_commit"].get<std::string>(), "stage.json");
}

}  // namespace

TrainingRun::TrainingRun(const Session& session, Repository& repository, const std::string& revision)
    : session_(session), repository_(repository), base_(trainable(repository, revision)), lease_(keep_commit(repository, base_)),
      folder_(repository.path("tmp/" + lease_.name() + "-train")) {}

void TrainingRun::save_as(const RefName& name, bool resume) {
  run_ = run_path(repository_, name);
  words_ = {"--run", run_, "--name", name.text()};
  if (resume) words_.push_back("--resume");
}

int TrainingRun::run(const std::vector<std::string>& rest, const TrainerLine& line) {
  session_.fs().make_directory(folder_);
  std::vector<std::string> words = trainer_words(session_, "train", rest);
  words.insert(words.begin() + 2, {"--out", folder_});
  words.insert(words.begin() + 4, words_.begin(), words_.end());
  const int status = run_trainer(session_, words, line);
  if (status != 0) remove_tree(session_.fs(), folder_);
  return status;
}

void TrainingRun::stage(const RefName& name) {
  const bool was_saved = exists(session_.fs(), join_path(folder_, "saved-run"));
  try {
    publish_stage(repository_, folder_, name, trained_from(session_.fs(), folder_, base_));
  } catch (const Error& error) {
    throw Error(error.code(), std::string(error.what()) + "; the finished training is in " + folder_ + ": move it away, the next `dstore gc` removes it");
  }
  if (was_saved) remove_tree(session_.fs(), run_);
}

ObjectId base_of_run(const Repository& repository, const RefName& name) {
  const std::string path = join_path(run_path(repository, name), "base.json");
  if (!exists(repository.fs(), path)) {
    throw Error(ErrorCode::not_found, "no run " + name.text() + " is saved here (`dstore status` lists those that are unfinished)");
  }
  return ObjectId::parse(Json::parse(read_text_file(repository.fs(), path, OpenMode::read_store), path).at("base").string(), path);
}

}  // namespace dstore::cli
