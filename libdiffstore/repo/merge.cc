#include "repo/merge.h"

#include "dstore/error.h"
#include "repo/model_files.h"
#include "repo/shard_stream.h"

namespace dstore {
namespace {

std::map<std::string, std::string> facts(const std::vector<MergeSource>& sources, const MergeOptions& options) {
  std::map<std::string, std::string> out;
  for (const auto& [name, text] : options.settings->texts()) out["merge_" + name] = text;
  out["method"] = "merge";
  out["merge_method"] = options.method->name;
  out["seed"] = std::to_string(options.settings->seed());
  std::string list;
  for (const MergeSource& source : sources) list += (list.empty() ? "" : " ") + source.commit.hex();
  out["sources"] = list;
  return out;
}

}  // namespace

MergeReport merge(Repository& repository, const std::vector<MergeSource>& sources, const MergeOptions& options, const RefName& branch,
                  const Committer& committer, const Progress& progress) {
  const auto head = repository.refs().head(branch);
  if (head && !head->is_deletion()) throw Error(ErrorCode::conflict, branch.text() + " exists already; give the result another --name");
  const MergeSources loaded = load_merge_sources(repository, sources);
  const MergeShape shape = choose_merge_shape(loaded, options.heads, options.heads_of);
  MergedSource result(*loaded.base_weights, loaded.inputs, *options.method, *options.settings, shape);
  result.prepare(0, progress);

  MergeReport report;
  report.base = loaded.base;
  report.counts = result.counts();
  if (shape.model) report.files_of = sources[*shape.model].text;
  PackSession session = repository.store().begin_write();
  report.delta = write_delta(session, *loaded.base_weights, result, result.pairs(), 0, progress);
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
  commit.training = facts(sources, options);
  report.commit = publish_commit(repository, session, std::move(commit), branch, committer, ObjectId());
  report.stored_bytes = session.bytes_stored();
  return report;
}

}  // namespace dstore
