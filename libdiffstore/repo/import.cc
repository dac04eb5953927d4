#include "repo/import.h"

#include <algorithm>

#include "base/room.h"
#include "repo/store_checkpoint.h"

namespace dstore {
namespace {

/// A folder that does not fit is looked into: much of it may be in the store.
void require_room_for(Repository& repository, const CheckpointFolder& folder, const ImportOptions& options) {
  Filesystem& fs = repository.fs();
  std::uint64_t bytes = largest_size(folder, options.link);
  if (!has_room(fs, repository.directory(), bytes)) bytes = options.link ? bytes : missing_size(repository.store(), folder);
  require_room(fs, repository.directory(), bytes, "the import", options.notice);
}

/// Links whose chunks this session has all put into packs, or found there, are of no use any more.
void drop_needless_links(Repository& repository, const PackSession& session) {
  repository.store().links().remove([&](const LinkFile& link) {
    return std::all_of(link.rows.begin(), link.rows.end(), [&](const LinkFile::Row& row) { return session.had(row.id); });
  });
}

}  // namespace

ImportReport import_folder(Repository& repository, const CheckpointFolder& folder, const RefName& branch, const std::string& message,
                           const Committer& committer, const Progress& progress, const ImportOptions& options) {
  require_room_for(repository, folder, options);
  PackSession session = repository.store().begin_write(options.profile);
  LinkFolder links(repository.fs(), folder.path());
  CheckpointTable checkpoint = store_checkpoint(session, repository.fs(), folder, progress, options.link ? &links : nullptr);
  ImportReport report;
  report.weights = checkpoint.weights;
  Commit commit;
  commit.checkpoint = session.add(ObjectKind::checkpoint, checkpoint.serialize());
  commit.message = message;
  report.tensors = folder.tensors().tensors().size();
  report.shards = folder.shards().size();
  report.side_files = checkpoint.files.size();
  for (const Shard& shard : folder.shards()) report.folder_bytes += shard.bytes.size();
  for (const SideFile& file : folder.side_file_list()) report.folder_bytes += file.size;

  if (options.link) report.linked_bytes = links.publish(repository.store());
  const auto head = repository.refs().head(branch);
  if (head && head->kind == RefKind::branch && !head->is_deletion() && repository.read_commit(head->new_commit).checkpoint == commit.checkpoint) {
    report.commit = head->new_commit;
    report.unchanged = true;
    // Objects that were damaged or only linked here are stored now.
    if (session.objects_added() > 0) session.commit();
  } else {
    report.commit = publish_commit(repository, session, std::move(commit), branch, committer);
  }
  report.stored_bytes = session.bytes_stored();
  report.found_bytes = session.bytes_found();
  if (!options.link) drop_needless_links(repository, session);
  return report;
}

}  // namespace dstore
