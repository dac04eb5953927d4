#include "repo/folder_undo.h"

#include <algorithm>

#include "base/sha256.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// Of a file that was there and no longer is as it was: makes it, as `target`; its row, from the record of that time.
CheckoutRecord::FileRow rebuild(Filesystem& fs, const std::string& folder, const UndoneFile& file, const std::string& target, CheckoutRecord::FileRow row,
                                const UndoFile& undo) {
  const auto out = fs.open(target, OpenMode::create_new);
  std::uint64_t size = 0;
  Bytes buffer;
  for (const UndoPart& part : file.parts) {
    size = part.offset + part.size;
    if (!part.bytes.empty()) {
      out->write_at(part.offset, part.bytes);
      continue;
    }
    const auto from = fs.open(join_path(folder, part.from), OpenMode::read_store);
    for (std::uint64_t at = 0; at < part.size; at += buffer.size()) {
      buffer.resize(std::min(kUndoRange, part.size - at));
      if (from->read_at(part.from_offset + at, buffer) != buffer.size()) throw Error(ErrorCode::conflict, from->path() + ": became shorter");
      out->write_at(part.offset + at, buffer);
    }
  }
  for (const UndoPatch& patch : file.patches) {
    buffer.resize(patch.size);
    if (patch.offset + patch.size > size || out->read_at(patch.offset, buffer) != patch.size) throw Error(ErrorCode::corrupt, undo.path() + ": a patch lies outside of its file");
    patch.restore(buffer, false, undo.path());
    out->write_at(patch.offset, buffer);
  }
  out->sync();
  const FileInfo info = out->info();
  if (info.size != row.size || hash_file(fs, target) != row.sha256) {
    throw Error(ErrorCode::conflict, printable(folder) + ": what it was before cannot be made of it any more; check it out again");
  }
  row.mtime_ns = info.mtime_ns;
  row.inode = info.inode;
  return row;
}

/// Error{conflict} unless what the change wrote stands where it was written.
void require_pages(Filesystem& fs, const std::string& folder, const UndoFile& undo) {
  Bytes range;
  for (const auto& [path, file] : undo.files()) {
    if (file.now.empty()) continue;
    const std::string full = join_path(folder, file.now);
    const auto from = fs.open(full, OpenMode::read_store);
    for (const UndoPatch& patch : file.patches) {
      range.resize(patch.size);
      if (from->read_at(patch.offset, range) != patch.size) throw Error(ErrorCode::conflict, printable(full) + ": became shorter");
      patch.restore(range, true, printable(full));
    }
  }
}

/// Takes the change in the undo file `name` back; repeated after a kill, from kUndoingFile.
UnapplyReport undo_change(Filesystem& fs, const std::string& folder, std::string_view name) {
  const UndoFile undo(fs, join_path(folder, name));
  const auto present = load_checkout_record(fs, folder);
  if (!present) throw Error(ErrorCode::corrupt, printable(folder) + ": has no record of its checkout");
  UnapplyReport report;
  FolderSwap swap;
  swap.record = CheckoutRecord::parse(undo.head().record, undo.path());
  report.undone = present->revision;
  report.revision = swap.record.revision;
  const auto row_of = [&](const std::string& path) -> CheckoutRecord::FileRow& {
    const auto row = swap.record.files.find(path);
    if (row == swap.record.files.end()) throw Error(ErrorCode::corrupt, undo.path() + ": has a file that its record has not");
    return row->second;
  };
  try {
    for (const auto& [path, file] : undo.files()) {
      if (!file.now.empty()) continue;
      const std::string temporary = temporary_checkout_name();
      row_of(path) = rebuild(fs, folder, file, join_path(folder, temporary), row_of(path), undo);
      swap.renames.emplace(temporary, path);
      ++report.rewritten;
    }
    if (name != kUndoingFile) {
      fs.rename(join_path(folder, name), join_path(folder, kUndoingFile));
      fs.sync_directory(folder);
    }
  } catch (...) {
    if (name != kUndoingFile && !exists(fs, join_path(folder, kUndoingFile))) remove_leftovers(fs, folder);
    throw;
  }
  restore_pages(fs, folder, undo, true, swap.record);
  for (const auto& [path, file] : undo.files()) {
    for (const UndoPatch& patch : file.patches) report.patched += patch.old_bytes.size();
    if (file.now.empty() || file.now == path) continue;
    const std::string temporary = temporary_checkout_name();
    if (!fs.link(join_path(folder, file.now), join_path(folder, temporary))) throw Error(ErrorCode::io, printable(folder) + ": cannot link a file");
    swap.renames.emplace(temporary, path);
  }
  for (auto& [path, row] : swap.record.files) {
    const auto same = present->files.find(path);
    if (undo.files().count(path) == 0 && same != present->files.end()) row = same->second;
  }
  for (const auto& [path, row] : present->files) {
    if (swap.record.files.count(path) == 0) swap.removals.push_back(path);
  }
  swap_folder(fs, folder, swap);
  return report;
}

/// A change that was killed, or failed, while pages were written.
void roll_back(Filesystem& fs, const std::string& folder) {
  const std::string path = join_path(folder, kPatchFile);
  {
    const UndoFile undo(fs, path);
    CheckoutRecord record = CheckoutRecord::parse(undo.head().record, undo.path());
    restore_pages(fs, folder, undo, false, record);
    write_checkout_record(fs, folder, record);
  }
  fs.remove(path);
  fs.sync_directory(folder);
  remove_leftovers(fs, folder);
}

}  // namespace

void restore_pages(Filesystem& fs, const std::string& folder, const UndoFile& undo, bool moved, CheckoutRecord& record) {
  Bytes before, after;
  for (const auto& [path, file] : undo.files()) {
    if (file.now.empty()) continue;
    const std::string full = join_path(folder, moved ? file.now : path);
    const auto target = fs.open(full, OpenMode::write);
    for (const UndoPatch& patch : file.patches) {
      before.resize(patch.size);
      if (target->read_at(patch.offset, before) != patch.size) throw Error(ErrorCode::conflict, printable(full) + ": became shorter; check it out again with --force");
      after = before;
      patch.restore(after, false, undo.path());
      write_changed_pages(*target, patch.offset, before, after);
    }
    // Also if nothing differs now: what was put back before a kill may not have reached the disk.
    target->sync();
    const FileInfo info = target->info();
    const auto row = record.files.find(path);
    if (row == record.files.end()) throw Error(ErrorCode::corrupt, undo.path() + ": has a file that its record has not");
    row->second.mtime_ns = info.mtime_ns;
    row->second.inode = info.inode;
  }
}

bool is_unfinished(Filesystem& fs, const std::string& folder) {
  return exists(fs, join_path(folder, kPatchFile)) || exists(fs, join_path(folder, kUndoingFile));
}

void recover_folder(Filesystem& fs, const std::string& folder) {
  if (finish_swap(fs, folder)) return;
  if (exists(fs, join_path(folder, kUndoingFile))) {
    remove_leftovers(fs, folder);
    undo_change(fs, folder, kUndoingFile);
  } else if (exists(fs, join_path(folder, kPatchFile))) {
    roll_back(fs, folder);
  }
}

bool keep_undo(Filesystem& fs, const std::string& folder) {
  const std::string patch = join_path(folder, kPatchFile);
  if (!exists(fs, patch)) return false;
  fs.rename(patch, join_path(folder, kUndoFile));
  return true;
}

bool forget_undo(Filesystem& fs, const std::string& folder) {
  bool found = false;
  for (const std::string_view name : {kUndoFile, kUndoingFile}) {
    const std::string path = join_path(folder, name);
    if (!exists(fs, path)) continue;
    fs.remove(path);
    found = true;
  }
  return found;
}

ObjectId undo_target(const CheckoutRecord& record) { return record.expression.empty() ? record.commit : sha256(as_bytes(record.expression)); }

UnapplyReport unapply(Filesystem& fs, const std::string& folder) {
  const FolderLock lock(fs, folder);
  const auto record = read_checkout_record(fs, folder, lock);
  const std::string path = join_path(folder, kUndoFile);
  if (!record || !exists(fs, path)) {
    throw Error(ErrorCode::not_found, printable(folder) + ": nothing to take back" + (record ? "; it is " + printable(record->revision) : ": it is not a checkout"));
  }
  const UndoFile undo(fs, path);
  if (undo.head().commit != undo_target(*record).hex()) {
    throw Error(ErrorCode::conflict, printable(folder) + ": was committed or checked out since its last apply; `dstore switch REV` goes elsewhere");
  }
  require_unchanged(fs, folder, *record, false);
  require_pages(fs, folder, undo);
  remove_leftovers(fs, folder);
  return undo_change(fs, folder, kUndoFile);
}

}  // namespace dstore
