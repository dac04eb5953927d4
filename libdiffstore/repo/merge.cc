#include "repo/merge.h"

#include <algorithm>

#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/commit_computed.h"

namespace dstore {
namespace {

/// Opens the statistics files that the method needs. Error{invalid_argument}: none is given, of another model or kind.
void open_statistics(MergeSources& loaded, const std::vector<MergeSource>& sources, const MergeOptions& options, std::vector<std::string>& notes) {
  const std::string kind(options.method->statistics);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::string& path = sources[i].statistics;
    if (path.empty() != kind.empty()) {
      const std::string what = kind.empty() ? " takes no statistics" : " needs " + kind + " statistics of every model: --statistics FILE,FILE,…";
      throw Error(ErrorCode::invalid_argument, "method " + std::string(options.method->name) + what);
    }
    if (path.empty()) continue;
    auto file = std::make_unique<SafetensorsFile>(path);
    const auto metadata = parse_safetensors_header(file->bytes(), file->bytes().size(), printable(path)).metadata;
    const auto value = [&](const char* key) {
      const auto place = metadata.find(key);
      return place == metadata.end() ? std::string() : place->second;
    };
    const std::string found = value("dstore.statistic"), weights = value("dstore.weights"), own = loaded.inputs[i].weights->weights_id().hex();
    if (!found.empty() && found != kind) throw Error(ErrorCode::invalid_argument, printable(path) + " has " + printable(found) + " statistics, not " + kind);
    if (!weights.empty() && weights != own) {
      throw Error(ErrorCode::invalid_argument, printable(path) + " is of the weights " + printable(weights.substr(0, 12)) + ", not of " + printable(sources[i].text) + " (" +
                                                   own.substr(0, 12) + "); give the files in the order of the models");
    }
    if (weights.empty()) {
      notes.push_back(printable(path) + " does not say of which weights it is (metadata dstore.weights); taken as of " + printable(sources[i].text));
    }
    loaded.inputs[i].statistics = std::move(file);
  }
}

/// The commits that a source stands for: itself, or the tasks that it is computed from.
std::vector<ObjectId> tasks_of(const MergeSource& source, const MergeSources::Model& model) {
  if (!source.computed) return {source.commit};
  std::vector<ObjectId> out;
  for (const CheckedCommit& commit : model.commits) {
    if (commit.commit.is_task()) out.push_back(commit.id);
  }
  return out;
}

std::map<std::string, std::string> facts(const std::vector<MergeSource>& sources, const MergeOptions& options, const MergeSources& loaded) {
  std::map<std::string, std::string> out = options.more_facts;
  for (const auto& [name, text] : options.settings->texts()) out["merge_" + name] = text;
  out["method"] = "merge";
  out["merge_method"] = options.method->name;
  if (options.rows == MergeRows::common) out["vocab"] = "base-rows";
  out["seed"] = std::to_string(options.settings->seed());
  std::string list, models;
  bool any_computed = false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    any_computed = any_computed || sources[i].computed;
    for (const ObjectId& id : tasks_of(sources[i], loaded.models[i])) list += (list.empty() ? "" : " ") + id.hex();
    models += (models.empty() ? "" : "; ") + (sources[i].computed ? sources[i].computed->computed->pinned() : sources[i].commit.hex());
  }
  out["sources"] = list;
  if (any_computed) out["models"] = models;
  std::string statistics;
  for (const MergeInput& input : loaded.inputs) {
    if (input.statistics) statistics += (statistics.empty() ? "" : " ") + sha256(input.statistics->bytes()).hex();
  }
  if (!statistics.empty()) out["statistics_sha256"] = statistics;
  return out;
}

}  // namespace

MergeReport merge(Repository& repository, const std::vector<MergeSource>& sources, const MergeOptions& options, const RefName& branch,
                  const Committer& committer, const Progress& progress) {
  const auto head = repository.refs().head(branch);
  if (head && !head->is_deletion()) throw Error(ErrorCode::conflict, branch.text() + " exists already; give the result another --name");
  MergeReport report;
  MergeSources loaded = load_merge_sources(repository, sources, options.rows, progress);
  open_statistics(loaded, sources, options, report.notes);
  const MergeShape shape = choose_merge_shape(loaded, options.heads, options.heads_of);
  MergedSource result(*loaded.base_weights, loaded.inputs, *options.method, *options.settings, shape, options.calculated_in);
  result.prepare(0, progress);
  for (std::string& note : result.notes()) report.notes.push_back(std::move(note));

  report.base = loaded.base;
  report.counts = result.counts();
  if (shape.model) report.files_of = sources[*shape.model].text;
  PackSession session = repository.store().begin_write();
  ComputedTask task = write_computed(repository, session, *loaded.base_weights, result, result.pairs(),
                                     load_merge_files(repository, loaded, shape.model), progress, &result);
  report.delta = std::move(task.delta);
  report.full_bytes = task.full_bytes;
  Commit commit;
  commit.checkpoint = task.checkpoint;
  commit.delta = report.delta.id;
  commit.base = loaded.base;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    for (const ObjectId& id : tasks_of(sources[i], loaded.models[i])) {
      if (std::find(commit.parents.begin(), commit.parents.end(), id) == commit.parents.end()) commit.parents.push_back(id);
    }
  }
  commit.derived_from = commit.parents;
  commit.message = options.message;
  commit.training = facts(sources, options, loaded);
  report.commit = publish_commit(repository, session, std::move(commit), branch, committer, ObjectId());
  report.stored_bytes = session.bytes_stored();
  return report;
}

}  // namespace dstore
