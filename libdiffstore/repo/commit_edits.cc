#include "repo/commit_edits.h"

#include "dstore/error.h"
#include "repo/composed_checkpoint.h"

namespace dstore {

EditedBase load_edited_base(const Repository& repository, const ObjectId& commit, std::string_view what) {
  const CheckedCommit base = repository.require_commit(commit);
  if (base.commit.is_task()) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + " is a change of a base; commit " + commit.short_hex() + " is a task: give its base (--base REV)");
  }
  return {commit, load_commit_files(repository, base.commit)};
}

CommitReport commit_edits(Repository& repository, PackSession& session, const EditedBase& base, const EditedSource& result, const EditedTask& task,
                          const RefName& branch, const Committer& committer, const Progress& progress) {
  CommitReport report;
  report.delta = write_delta(session, *base.files.weights, result, result.pairs(), 0, progress, result.low_rank());
  std::map<std::string, PlainFile> files = base.files.files;
  for (const auto& [path, file] : task.files) files[path] = file;
  CheckpointTable checkpoint = compose_checkpoint(session, base.files.shards, report.delta.table, result, std::move(files), report.folder_bytes);

  Commit commit;
  commit.checkpoint = session.add(ObjectKind::checkpoint, checkpoint.serialize());
  commit.delta = report.delta.id;
  commit.base = base.id;
  commit.adapter = task.adapter;
  commit.message = task.message;
  commit.training = task.training;
  const auto head = repository.refs().head(branch);
  if (head && head->kind == RefKind::branch && !head->is_deletion()) {
    const Commit present = repository.read_commit(head->new_commit);
    if (present.checkpoint == commit.checkpoint && present.delta == commit.delta && present.adapter == commit.adapter) {
      report.commit = head->new_commit;
      report.unchanged = true;
      return report;
    }
  }
  report.commit = publish_commit(repository, session, std::move(commit), branch, committer);
  report.stored_bytes = session.bytes_stored();
  return report;
}

}  // namespace dstore
