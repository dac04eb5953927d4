#include "repo/open_revision.h"

#include <algorithm>
#include <charconv>

#include "dstore/error.h"
#include "repo/three_way.h"

namespace dstore {
namespace {

using Term = RevisionExpression::Term;

/// A model that an expression has computed or read.
struct Part {
  std::string name;  ///< for messages
  ModelFiles files;
  Lineage lineage;
  const ChangeSource* changes = nullptr;
  const SumSource* sum = nullptr;
  bool is_base = false;  ///< a commit without a delta
};

/// The merge of models as a source that owns all it needs.
class MergeOfModels : public TensorSource {
 public:
  MergeOfModels(MergeSources sources, const MergeMethod& method, MergeSettings settings, const MergeShape& shape)
      : sources_(std::move(sources)), settings_(std::move(settings)), source_(*sources_.base_weights, sources_.inputs, method, settings_, shape) {}
  MergedSource& source() { return source_; }
  const std::vector<TensorInfo>& tensors() const override { return source_.tensors(); }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override { source_.read(index, offset, out); }

 private:
  MergeSources sources_;
  MergeSettings settings_;
  MergedSource source_;
};

class Evaluator {
 public:
  Evaluator(const Repository& repository, const std::string& text, const Progress& progress) : repository_(repository), text_(text), progress_(progress) {}

  Part expression(const RevisionExpression& expression) {
    if (expression.terms.size() > 1) return sum(expression);
    const Term& only = expression.terms.front();
    if (only.weight) fail("a weight needs a base: BASE+" + *only.weight + "*" + only.text());
    return term(only);
  }

  std::vector<CheckedCommit> commits;  ///< that were read, in this order, each once

 private:
  [[noreturn]] void fail(const std::string& message) const { throw Error(ErrorCode::invalid_argument, "\"" + printable(text_) + "\": " + message); }
  [[noreturn]] void fail_other_base(const Part& part, const ObjectId& wanted) const {
    throw Error(ErrorCode::conflict, "\"" + printable(text_) + "\": " + part.name + " is a difference from the weights " + part.lineage.base_weights.short_hex() + ", the base has " +
                                         wanted.short_hex() + "; rebase(" + part.name + ", BASE) takes it there");
  }

  const CheckedCommit& require(const ObjectId& id) {
    const auto known = std::find_if(commits.begin(), commits.end(), [&](const CheckedCommit& commit) { return commit.id == id; });
    if (known != commits.end()) return *known;
    commits.push_back(repository_.require_commit(id));
    return commits.back();
  }
  void add(const std::vector<CheckedCommit>& more) {
    for (const CheckedCommit& commit : more) {
      const bool known = std::any_of(commits.begin(), commits.end(), [&](const CheckedCommit& other) { return other.id == commit.id; });
      if (!known) commits.push_back(commit);
    }
  }

  Part term(const Term& term) {
    if (term.call.empty()) return atom(term.atom);
    const RevisionCall& call = term.call.front();
    Part out = call.function == "merge" ? merge(call) : rebase(call);
    out.name = printable(term.text());
    return out;
  }

  Part atom(const RevisionAtom& atom) {
    const Commit commit = require(atom.commit).commit;
    Part out;
    out.name = printable(atom.text());
    out.files = load_commit_files(repository_, commit);
    out.is_base = !commit.is_task();
    if (out.is_base) {
      out.lineage = {atom.commit, out.files.weights->weights_id(), {}};
      return out;
    }
    require(*commit.base);
    const DeltaTable delta = read_delta(repository_, commit);
    out.lineage = {*commit.base, delta.base_weights, pairs_of_delta(*StoredWeights::load(repository_.store(), delta.base_weights), *out.files.weights, delta)};
    return out;
  }

  Part sum(const RevisionExpression& expression) {
    const Term& first = expression.terms.front();
    if (first.weight) fail("the base has no weight; write BASE+" + *first.weight + "*TASK");
    Part base = term(first);
    if (!base.is_base) fail("a sum starts with a base, and " + base.name + " is none; give BASE+" + base.name);
    std::vector<SumTerm> terms;
    std::vector<std::map<std::string, PlainFile>> files;
    for (std::size_t i = 1; i < expression.terms.size(); ++i) {
      Part part = term(expression.terms[i]);
      if (part.is_base) fail(part.name + " is a base and has no difference to add");
      if (part.lineage.base_weights != base.lineage.base_weights) fail_other_base(part, base.lineage.base_weights);
      std::unique_ptr<TensorSource> weights = std::move(part.files.computed);
      if (!weights) weights = std::move(part.files.weights);
      terms.push_back({part.name, expression.terms[i].factor(), std::move(weights), std::move(part.lineage.pairs)});
      files.push_back(std::move(part.files.files));
    }
    auto source = std::make_unique<SumSource>(StoredWeights::load(repository_.store(), base.lineage.base_weights), std::move(terms));
    Part out;
    if (expression.terms.size() > 2) out.sum = source.get();
    out.changes = source.get();
    out.lineage = {base.lineage.base, base.lineage.base_weights, source->pairs()};
    const std::optional<std::size_t> shape = source->shape();
    const DeltaTable names = name_delta(*base.files.weights, *source, source->pairs());
    out.files.computed = std::move(source);
    compose_files(base.files, shape ? std::move(files[*shape]) : std::map<std::string, PlainFile>{}, names, out.files);
    return out;
  }

  /// What merge(...) merges; weights before a model become the parameter.
  std::vector<MergeSource> models_of(const RevisionCall& call, MergeSettings::Given& given) const {
    std::vector<MergeSource> out;
    std::vector<std::string> weights;
    bool weighted = false;
    for (const RevisionExpression& argument : call.arguments) {
      RevisionExpression model = argument;
      std::optional<std::string> weight;
      if (model.terms.size() == 1) weight = std::exchange(model.terms.front().weight, std::nullopt);
      MergeSource source{model.terms.front().atom.commit, model.text()};
      if (model.terms.size() > 1 || !model.terms.front().call.empty()) source = {{}, model.text(), {}, Revision{model.text(), {}, {}, {}, model}};
      out.push_back(std::move(source));
      weights.push_back(weight.value_or("1"));
      weighted = weighted || weight;
    }
    if (weighted && !given.emplace("weight", weights).second) fail("weights are given twice, as weight=… and before the models");
    return out;
  }

  /// The parameter `heads`, taken out of those of the method: none, or the number of a model.
  MergeShape shape_of(const MergeSources& sources, MergeSettings::Given& given) const {
    const auto place = given.find("heads");
    if (place == given.end()) return choose_merge_shape(sources, MergeHeads::single, 0);
    if (place->second == std::vector<std::string>{"none"}) {
      given.erase(place);
      return choose_merge_shape(sources, MergeHeads::none, 0);
    }
    return choose_merge_shape(sources, MergeHeads::of_model, take_number(given, "heads", 1, sources.inputs.size()).value() - 1);
  }

  /// The parameter `vocab`, taken out of those of the method.
  MergeRows take_rows(MergeSettings::Given& given) const {
    const auto place = given.find("vocab");
    if (place == given.end()) return MergeRows::refuse;
    if (place->second != std::vector<std::string>{"base-rows"}) fail("vocab=" + place->second.front() + ": expected vocab=base-rows");
    given.erase(place);
    return MergeRows::common;
  }

  Part merge(const RevisionCall& call) {
    const MergeMethod& method = find_merge_method(call.method);
    if (!method.statistics.empty()) fail("method " + call.method + " needs statistics files; commit the merge with `dstore merge --method " + call.method + " --statistics …`");
    MergeSettings::Given given = call.parameters;
    const std::vector<MergeSource> models = models_of(call, given);
    check_merge_models(method, models.size());
    MergeSources sources = load_merge_sources(repository_, models, take_rows(given), progress_);
    for (const MergeSources::Model& model : sources.models) add(model.commits);
    require(sources.base);
    const MergeShape shape = shape_of(sources, given);
    const std::uint64_t seed = take_number(given, "seed", 0, UINT64_MAX).value_or(0);
    MergeSettings settings(method.name, method.parameters, given, models.size(), seed);
    check_merge_weights(method, settings);
    Part out;
    out.lineage = {sources.base, sources.base_weights->weights_id(), {}};
    ModelFiles files = load_merge_files(repository_, sources, shape.model);
    out.files.shards = std::move(files.shards);
    for (ShardFile& shard : out.files.shards) shard.sha256.reset();
    out.files.files = std::move(files.files);
    auto source = std::make_unique<MergeOfModels>(std::move(sources), method, std::move(settings), shape);
    source->source().prepare(0, progress_);
    out.lineage.pairs = source->source().pairs();
    out.changes = &source->source();
    out.files.computed = std::move(source);
    return out;
  }

  Part rebase(const RevisionCall& call) {
    ThreeWayOptions options;
    options.resolution.policy = find_conflict_policy(call.method.empty() ? "fail" : call.method, true);
    if (options.resolution.policy == nullptr) fail("rebase has no way \"" + call.method + "\" of meeting conflicts; there are keep-task, keep-base, old-base and add");
    if (!call.parameters.empty()) fail("rebase has no parameter \"" + call.parameters.begin()->first + "\"");
    Part task = expression(call.arguments[0]), target = expression(call.arguments[1]);
    if (task.is_base) fail(task.name + " is a base, no task");
    if (!target.is_base) fail(target.name + " is no base");
    if (task.lineage.base_weights == target.lineage.base_weights) return task;
    Rebased result = rebase_model(repository_, task.files, task.lineage, target.lineage.base, options, progress_);
    if (result.report.unresolved > 0) {
      throw Error(ErrorCode::conflict, "\"" + printable(text_) + "\": the base and " + task.name + " changed " + std::to_string(result.report.all.conflict) + " weights and " +
                                           std::to_string(result.report.whole.size()) + " whole tensors differently; say what is kept: rebase(keep-task: …), " +
                                           "keep-base, add; `dstore rebase --dry-run` tells more");
    }
    Part out;
    out.files = std::move(result.files);
    out.lineage = std::move(result.lineage);
    return out;
  }

  /// A parameter that is a whole number, taken out of those of the method.
  std::optional<std::uint64_t> take_number(MergeSettings::Given& given, std::string_view name, std::uint64_t least, std::uint64_t most) const {
    const auto place = given.find(name);
    if (place == given.end()) return std::nullopt;
    std::uint64_t value = 0;
    const std::string& text = place->second.front();
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (place->second.size() != 1 || result.ec != std::errc() || result.ptr != text.data() + text.size() || value < least || value > most) {
      fail(std::string(name) + "=" + text + " is no whole number" + (most < UINT64_MAX ? " from " + std::to_string(least) + " to " + std::to_string(most) : ""));
    }
    given.erase(place);
    return value;
  }

  const Repository& repository_;
  const std::string& text_;
  const Progress& progress_;
};

}  // namespace

OpenRevision open_revision(const Repository& repository, const Revision& revision, const Progress& progress) {
  OpenRevision out;
  if (!revision.computed) {
    static_cast<LoadedRevision&>(out) = load_revision(repository, revision);
    return out;
  }
  Evaluator evaluator(repository, revision.text, progress);
  Part part = evaluator.expression(*revision.computed);
  out.files = std::move(part.files);
  out.commits = std::move(evaluator.commits);
  out.lineage = std::move(part.lineage);
  out.changes = part.changes;
  out.sum = part.sum;
  return out;
}

}  // namespace dstore
