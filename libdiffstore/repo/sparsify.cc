#include "repo/sparsify.h"

#include <numeric>

#include "base/decimal.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "repo/align.h"
#include "repo/forgotten.h"
#include "repo/model_version.h"
#include "repo/sparse_source.h"

namespace dstore {
namespace {

constexpr std::pair<std::string_view, SparsifyScope> kScopes[] = {{"global", SparsifyScope::global}, {"tensor", SparsifyScope::tensor}};

std::uint64_t float_elements(const TensorSource& base) {
  std::uint64_t count = 0;
  for (const TensorInfo& info : base.tensors()) count += is_numeric(info.dtype) ? unit_count(info.dtype, info.bytes) : 0;
  return count;
}

std::vector<SelectionScope> make_scopes(const ChangeRanks& ranks, const SparsifyOptions& options, std::uint64_t elements) {
  std::vector<SelectionScope> scopes;
  if (options.scope == SparsifyScope::global) {
    std::vector<std::size_t> all(ranks.tensors().size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return {{std::move(all), density_count(options.density, elements)}};
  }
  for (std::size_t t = 0; t < ranks.tensors().size(); ++t) scopes.push_back({{t}, density_count(options.density, ranks.tensors()[t].units)});
  return scopes;
}

void describe(const ChangeRanks& ranks, const SelectedEntries& selection, SparsifyReport& report) {
  for (std::size_t t = 0; t < ranks.tensors().size(); ++t) {
    report.tensors.push_back({ranks.tensors()[t].name, ranks.tensors()[t].units, selection.shares[t]});
    report.all += selection.shares[t];
  }
  report.whole = ranks.whole();
}

std::map<std::string, std::string> facts(const SparsifyOptions& options, const SparsifyReport& report) {
  std::map<std::string, std::string> out = options.facts;
  out["method"] = "sparsify";
  out["density"] = shortest_decimal(options.density);
  out["scope"] = scope_name(options.scope);
  out["by"] = options.score->name;
  out["source"] = report.source.hex();
  out["selected"] = std::to_string(report.all.kept);
  out["selected_from"] = std::to_string(report.all.changed);
  return out;
}

}  // namespace

std::string_view scope_name(SparsifyScope scope) {
  for (const auto& [name, value] : kScopes) {
    if (value == scope) return name;
  }
  return {};
}

SparsifyScope parse_scope(std::string_view name) {
  std::string names;
  for (const auto& [known, value] : kScopes) {
    if (known == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw Error(ErrorCode::invalid_argument, "no scope is called \"" + printable(name) + "\" (" + names + ")");
}

SparsifyReport sparsify(Repository& repository, const MergeSource& source, const SparsifyOptions& options, const RefName& branch,
                        const Committer& committer, const Progress& progress) {
  ModelVersion full = open_version(repository, source, progress);
  if (!full.delta) {
    throw Error(ErrorCode::invalid_argument, "commit " + source.commit.short_hex() + " is a base: it has no change against a base that entries could be dropped from");
  }
  const auto head = repository.refs().head(branch);
  const bool exists = head && !head->is_deletion();
  if (exists && (head->new_commit != source.commit || head->kind != RefKind::branch)) {
    throw Error(ErrorCode::conflict, branch.text() + " exists and is not the branch of " + printable(source.text) + "; give another --name");
  }
  const ObjectId base_commit = *full.commit.commit.base;
  repository.require_commit(base_commit);
  const auto base = StoredWeights::load(repository.store(), full.delta->base_weights);
  const StoredWeights& task = *full.files.weights;
  const std::vector<Pairing> pairs = pairs_of_delta(*base, task, *full.delta);

  SparsifyReport report;
  report.base = base_commit;
  report.elements = float_elements(*base);
  const ChangeRanks ranks(*base, task, pairs, *options.score, options.importance);
  const std::vector<SelectionScope> scopes = make_scopes(ranks, options, report.elements);
  for (const SelectionScope& scope : scopes) report.places += scope.k;
  SelectedEntries selection = select_entries(ranks, scopes, 0, progress);
  describe(ranks, selection, report);

  const SparseSource result(ranks, std::move(selection.cuts));
  PackSession session = repository.store().begin_write();
  ComputedTask sparse = write_computed(repository, session, *base, result, pairs, full.files, progress);
  report.delta = std::move(sparse.delta);
  report.full_bytes = sparse.full_bytes;
  Commit commit;
  commit.checkpoint = sparse.checkpoint;
  if (exists && commit.checkpoint == full.commit.commit.checkpoint) {
    report.commit = report.source = source.commit;
    report.unchanged = true;
    return report;
  }
  commit.delta = report.delta.id;
  CommitKeeper keeper(repository);
  report.source = store_version(repository, session, keeper, forgotten_commits(repository), full, committer, progress);
  commit.base = base_commit;
  commit.parents = {report.source};
  commit.derived_from = {report.source};
  commit.message = options.message;
  commit.training = facts(options, report);
  report.commit = publish_commit(repository, session, std::move(commit), branch, committer, exists ? source.commit : ObjectId());
  report.stored_bytes = session.bytes_stored();
  return report;
}

}  // namespace dstore
