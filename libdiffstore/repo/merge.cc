#include "repo/merge.h"

#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/model_files.h"
#include "repo/shard_stream.h"

namespace dstore {
namespace {

/// The sources of a merge, looked up: all of one base.
struct Sources {
  std::vector<CheckedCommit> commits;
  ObjectId base;  ///< the commit
  std::unique_ptr<StoredWeights> base_weights;
  std::vector<MergeInput> inputs;
};

[[noreturn]] void fail_other_base(const MergeSource& first, const ObjectId& wanted, const MergeSource& other, const ObjectId& found) {
  throw Error(ErrorCode::conflict, printable(first.text) + " is made from the weights " + wanted.short_hex() + ", " + printable(other.text) + " from " +
                                       found.short_hex() + "; only tasks of the same base can be merged");
}

Sources load(const Repository& repository, const std::vector<MergeSource>& sources) {
  Sources out;
  std::optional<std::size_t> first_task;
  ObjectId weights;
  for (const MergeSource& source : sources) {
    out.commits.push_back(repository.require_commit(source.commit));
    const Commit& commit = out.commits.back().commit;
    if (!commit.is_task() || first_task) continue;
    first_task = out.commits.size() - 1;
    out.base = *commit.base;
    weights = read_delta(repository, commit).base_weights;
  }
  if (!first_task) throw Error(ErrorCode::invalid_argument, "there is no task among the models: merge at least one (a base has no difference to add)");
  repository.require_commit(out.base);
  out.base_weights = StoredWeights::load(repository.store(), weights);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Commit& commit = out.commits[i].commit;
    MergeInput input;
    input.name = printable(sources[i].text);
    if (commit.is_task()) {
      const DeltaTable delta = read_delta(repository, commit);
      if (delta.base_weights != weights) fail_other_base(sources[*first_task], weights, sources[i], delta.base_weights);
      input.weights = StoredWeights::load(repository.store(), delta);
      input.pairs = pairs_of_delta(*out.base_weights, *input.weights, delta);
    } else {
      const ObjectId own = read_checkpoint(repository, commit).weights;
      if (own != weights) fail_other_base(sources[*first_task], weights, sources[i], own);
      input.weights = StoredWeights::load(repository.store(), own);
      for (std::size_t t = 0; t < input.weights->tensors().size(); ++t) input.pairs.push_back({input.weights->tensors()[t].name, t, t});
    }
    out.inputs.push_back(std::move(input));
  }
  return out;
}

/// Opens the statistics files that the method needs. Error{invalid_argument}: none is given, of another model or kind.
void open_statistics(Sources& loaded, const std::vector<MergeSource>& sources, const MergeOptions& options, std::vector<std::string>& notes) {
  const std::string kind(options.method->statistics);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::string& path = sources[i].statistics;
    if (path.empty() != kind.empty()) {
      throw Error(ErrorCode::invalid_argument, "method " + std::string(options.method->name) + (kind.empty() ? " takes no statistics" : " needs " + kind + " statistics of every model: --statistics FILE,FILE,…"));
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
    if (weights.empty()) notes.push_back(printable(path) + " does not say of which weights it is (metadata dstore.weights); taken as of " + printable(sources[i].text));
    loaded.inputs[i].statistics = std::move(file);
  }
}

/// The model with tensors of its own, or the first task: its files say what the result is (labels, architecture).
MergeShape choose_shape(const Sources& sources, const MergeOptions& options) {
  if (options.heads == MergeOptions::Heads::none) return {std::nullopt, true};
  if (options.heads == MergeOptions::Heads::of_model) return {options.heads_of, true};
  std::optional<std::size_t> task;
  for (std::size_t m = 0; m < sources.inputs.size(); ++m) {
    if (!sources.commits[m].commit.is_task()) continue;
    if (!task) task = m;
    for (const Pairing& pair : sources.inputs[m].pairs) {
      if (!pair.base) return {m, false};
    }
  }
  return {task, false};
}

std::map<std::string, std::string> facts(const std::vector<MergeSource>& sources, const MergeOptions& options, const Sources& loaded) {
  std::map<std::string, std::string> out = options.more_facts;
  for (const auto& [name, text] : options.settings->texts()) out["merge_" + name] = text;
  out["method"] = "merge";
  out["merge_method"] = options.method->name;
  out["seed"] = std::to_string(options.settings->seed());
  std::string list;
  for (const MergeSource& source : sources) list += (list.empty() ? "" : " ") + source.commit.hex();
  out["sources"] = list;
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
  Sources loaded = load(repository, sources);
  open_statistics(loaded, sources, options, report.notes);
  const MergeShape shape = choose_shape(loaded, options);
  MergedSource result(*loaded.base_weights, loaded.inputs, *options.method, *options.settings, shape, options.calculated_in);
  result.prepare(0, progress);
  for (std::string& note : result.notes()) report.notes.push_back(std::move(note));

  report.base = loaded.base;
  report.counts = result.counts();
  if (shape.model) report.files_of = sources[*shape.model].text;
  PackSession session = repository.store().begin_write();
  report.delta = write_delta(session, *loaded.base_weights, result, result.pairs(), 0, progress, {}, &result);
  const Commit& files = shape.model ? loaded.commits[*shape.model].commit : repository.read_commit(loaded.base);
  CheckpointTable table = checkpoint_with(repository, files, result, report.delta.table.result_weights);
  report.full_bytes = full_bytes(repository, table);
  Commit commit;
  commit.checkpoint = session.add(ObjectKind::checkpoint, table.serialize());
  commit.delta = report.delta.id;
  commit.base = loaded.base;
  for (const MergeSource& source : sources) {
    commit.parents.push_back(source.commit);
    commit.derived_from.push_back(source.commit);
  }
  commit.message = options.message;
  commit.training = facts(sources, options, loaded);
  report.commit = publish_commit(repository, session, std::move(commit), branch, committer, ObjectId());
  report.stored_bytes = session.bytes_stored();
  return report;
}

}  // namespace dstore
