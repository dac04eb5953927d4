#include "repo/commit_adapter.h"

#include "dstore/error.h"
#include "repo/adapter_fold.h"
#include "repo/commit_edits.h"
#include "repo/store_checkpoint.h"

namespace dstore {
namespace {

/// A tokenizer that was saved with the adapter belongs to the model; the adapter's own description does not.
std::map<std::string, PlainFile> model_files(const CheckpointTable& adapter, const std::map<std::string, PlainFile>& base) {
  std::map<std::string, PlainFile> out;
  for (const CheckpointTable::FileRow& row : adapter.files) {
    if (row.path != "README.md" && base.contains(row.path)) out.emplace(row.path, PlainFile{row.file, {}});
  }
  return out;
}

}  // namespace

bool is_adapter_folder(const CheckpointFolder& folder) {
  return folder.shards().size() == 1 && folder.shards().front().path == kAdapterModel && folder.side_file(kAdapterConfig).has_value();
}

CommitReport commit_adapter(Repository& repository, const CheckpointFolder& folder, const ObjectId& base_id, const std::string& message, Profile profile,
                            const RefName& branch, const Committer& committer, const Progress& progress) {
  const EditedBase base = load_edited_base(repository, base_id, "an adapter");
  const std::string what = folder.description();
  const AdapterConfig config = parse_adapter_config(*folder.side_file(kAdapterConfig), printable(join_path(folder.path(), kAdapterConfig)));
  AdapterFold fold;
  fold_adapter(*base.files.weights, folder.tensors(), config, what, fold);
  AdapterFacts facts{config.facts().at("method"), fold.modules, fold.replaced, 0};
  for (const Shard& shard : folder.shards()) facts.folder_bytes += shard.bytes.size();
  for (const SideFile& file : folder.side_file_list()) facts.folder_bytes += file.size;
  const EditedSource result(*base.files.weights, std::move(fold.edits));

  PackSession session = repository.store().begin_write(profile);
  CheckpointTable adapter = store_checkpoint(session, repository.fs(), folder, {});
  EditedTask task{message, config.facts(), model_files(adapter, base.files.files), session.add(ObjectKind::checkpoint, adapter.serialize())};
  task.training["changed"] = std::to_string(result.touched());
  CommitReport report = commit_edits(repository, session, base, result, task, branch, committer, progress);
  report.delta.changed = result.touched();
  report.adapter = std::move(facts);
  return report;
}

}  // namespace dstore
