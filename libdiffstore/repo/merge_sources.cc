#include "repo/merge_sources.h"

#include <algorithm>

#include "dstore/error.h"
#include "repo/model_files.h"
#include "repo/same_tensor.h"

namespace dstore {
namespace {

[[noreturn]] void fail_other_base(const MergeSource& first, const ObjectId& wanted, const MergeSource& other, const ObjectId& found) {
  throw Error(ErrorCode::conflict, printable(first.text) + " is made from the weights " + wanted.short_hex() + ", " + printable(other.text) + " from " +
                                       found.short_hex() + "; only tasks of the same base can be merged");
}

/// Embeddings of another vocabulary are refused with what says so.
void require_same_rows(const Repository& repository, const MergeSources& loaded, const MergeInput& model, std::size_t m) {
  for (const Pairing& pair : model.pairs) {
    const auto base = pair.base ? pair.base : loaded.base_weights->find(pair.name);
    if (!base) continue;
    const TensorInfo &info = loaded.base_weights->tensors()[*base], &own = model.weights->tensors()[*pair.task];
    if (!only_rows_differ(info, own)) continue;
    const std::string tokenizers = tokenizer_text(load_merge_files(repository, loaded, m), model.name, load_merge_files(repository, loaded, std::nullopt), "the base");
    throw Error(ErrorCode::conflict, "tensor " + printable(info.name) + ": " + model.name + " has it as " + form_text(own) + ", the base as " + form_text(info) +
                                         (tokenizers.empty() ? "" : "; tokenizers: " + tokenizers) + "; --vocab base-rows (in a revision vocab=base-rows) merges the rows that all have");
  }
}

/// A tensor with other rows may be stored whole, though it is the base's.
void pair_other_rows(const StoredWeights& base, MergeInput& model) {
  for (Pairing& pair : model.pairs) {
    if (pair.base) continue;
    const auto same_name = base.find(pair.name);
    if (same_name && only_rows_differ(base.tensors()[*same_name], model.weights->tensors()[*pair.task])) pair.base = same_name;
  }
}

MergeSources::Model look_up(const Repository& repository, const MergeSource& source, const Progress& progress) {
  MergeSources::Model out;
  if (source.computed) {
    out.computed = open_task(repository, *source.computed, progress);
    out.commits = out.computed->loaded.commits;
    out.is_task = true;
  } else {
    out.commits.push_back(repository.require_commit(source.commit));
    out.is_task = out.commits.front().commit.is_task();
  }
  return out;
}

/// The delta of a task.
DeltaTable delta_of(const Repository& repository, const MergeSources::Model& model) {
  return model.computed ? model.computed->delta : read_delta(repository, model.commits.front().commit);
}

}  // namespace

MergeSource find_merge_source(const Repository& repository, const std::string& text) {
  Revision revision = resolve_revision(repository, text);
  if (revision.base) load_revision(repository, revision);
  MergeSource out{revision.commit, text};
  if (revision.computed) out.computed = std::move(revision);
  return out;
}

MergeSources load_merge_sources(const Repository& repository, const std::vector<MergeSource>& sources, MergeRows rows, const Progress& progress) {
  MergeSources out;
  for (const MergeSource& source : sources) out.models.push_back(look_up(repository, source, progress));
  const auto first = std::find_if(out.models.begin(), out.models.end(), [](const MergeSources::Model& model) { return model.is_task; });
  if (first == out.models.end()) throw Error(ErrorCode::invalid_argument, "there is no task among the models: merge at least one (a base has no difference to add)");
  const MergeSource& first_task = sources[static_cast<std::size_t>(first - out.models.begin())];
  out.base = first->computed ? first->computed->base : *first->commits.front().commit.base;
  repository.require_commit(out.base);
  const ObjectId weights = delta_of(repository, *first).base_weights;
  out.base_weights = StoredWeights::load(repository.store(), weights);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    MergeSources::Model& model = out.models[i];
    MergeInput input;
    input.name = printable(sources[i].text);
    if (model.is_task) {
      const DeltaTable delta = delta_of(repository, model);
      if (delta.base_weights != weights) fail_other_base(first_task, weights, sources[i], delta.base_weights);
      input.weights = model.computed ? std::move(model.computed->loaded.files.weights) : StoredWeights::load(repository.store(), delta);
      input.pairs = pairs_of_delta(*out.base_weights, *input.weights, delta);
    } else {
      const ObjectId own = read_checkpoint(repository, model.commits.front().commit).weights;
      if (own != weights) fail_other_base(first_task, weights, sources[i], own);
      input.weights = StoredWeights::load(repository.store(), own);
      for (std::size_t t = 0; t < input.weights->tensors().size(); ++t) input.pairs.push_back({input.weights->tensors()[t].name, t, t});
    }
    if (rows == MergeRows::refuse) require_same_rows(repository, out, input, i);
    else pair_other_rows(*out.base_weights, input);
    out.inputs.push_back(std::move(input));
  }
  return out;
}

ModelFiles load_merge_files(const Repository& repository, const MergeSources& sources, std::optional<std::size_t> model) {
  if (!model) return load_commit_files(repository, repository.read_commit(sources.base));
  const MergeSources::Model& of = sources.models[*model];
  if (!of.computed) return load_commit_files(repository, of.commits.front().commit);
  ModelFiles out;
  out.shards = of.computed->loaded.files.shards;
  out.files = of.computed->loaded.files.files;
  return out;
}

MergeShape choose_merge_shape(const MergeSources& sources, MergeHeads heads, std::size_t heads_of) {
  if (heads == MergeHeads::none) return {std::nullopt, true};
  if (heads == MergeHeads::of_model) return {heads_of, true};
  std::optional<std::size_t> task;
  for (std::size_t m = 0; m < sources.inputs.size(); ++m) {
    if (!sources.models[m].is_task) continue;
    if (!task) task = m;
    for (const Pairing& pair : sources.inputs[m].pairs) {
      if (!pair.base) return {m, false};
    }
  }
  return {task, false};
}

void check_merge_models(const MergeMethod& method, std::size_t models) {
  if (models >= method.least_models && models <= method.most_models) return;
  throw Error(ErrorCode::invalid_argument, "method " + std::string(method.name) + " merges " + (method.least_models == method.most_models ? "exactly " : "at least ") +
                                               std::to_string(method.least_models) + " models, not " + std::to_string(models));
}

void check_merge_weights(const MergeMethod& method, const MergeSettings& settings) {
  if (!settings.has("normalize") || !settings.flag("normalize")) return;
  double sum = 0;
  for (std::size_t i = 0; i < settings.models(); ++i) sum += settings.number("weight", i);
  if (sum != 0) return;
  throw Error(ErrorCode::invalid_argument, "the weights sum to 0, and method " + std::string(method.name) + " divides by their sum; give others, or --set normalize=false");
}

}  // namespace dstore
