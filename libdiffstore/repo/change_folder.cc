#include "repo/change_folder.h"

#include <algorithm>

#include "base/ordered_pipeline.h"
#include "base/parallel.h"
#include "dstore/error.h"
#include "repo/checkout_files.h"
#include "repo/folder_undo.h"
#include "repo/tensor_ids.h"

namespace dstore {
namespace {

/// A shard whose header stays: its pages are rewritten in the file that is there.
struct PatchedShard {
  const ShardFile* shard;
  const Shard* from;
  std::string link;  ///< temporary name that becomes shard->path where that is another path
};

/// A range of a tensor that may change: what stands in the old file, and where that is.
struct Window {
  std::size_t tensor = 0;  ///< of the new weights
  std::uint64_t tensor_offset = 0;
  std::size_t old_tensor = 0;  ///< of the old weights
  const Shard* from = nullptr;
  std::uint64_t offset = 0;  ///< in the old file
  std::uint64_t size = 0;

  ByteSpan before() const { return from->bytes.subspan(offset, size); }
};

class FolderChanger {
 public:
  FolderChanger(const Repository& repository, const CheckpointFolder& source, const CheckoutRecord& before, const FolderTarget& target,
                const ChangeOptions& options, const Progress& progress)
      : repository_(repository), fs_(repository.fs()), folder_(source.path()), source_(source), before_(before), target_(target), options_(options),
        progress_(progress), weights_(*target.files.weights), set_(repository, target.files) {}

  ChangeReport run() {
    const std::set<std::string> foreign = require_unchanged(fs_, folder_, before_, options_.verify);
    for (const std::string& path : set_.paths()) {
      if (foreign.count(path) > 0) throw Error(ErrorCode::conflict, in(path) + ": is in the way, and dstore did not write it; move it away");
    }
    remove_leftovers(fs_, folder_);
    plan();
    swap_.record = target_.record;
    swap_.record.files = kept_;
    swap_.keeps_undo = true;
    try {
      prepare();
    } catch (...) {
      discard();
      throw;
    }
    patch();
    swap_folder(fs_, folder_, swap_);
    return report_;
  }

 private:
  std::string in(const std::string& path) const { return printable(join_path(folder_, path)); }
  std::string full(const std::string& path) const { return join_path(folder_, path); }
  bool is_wanted(const std::string& path) const {
    return target_.keep.count(path) > 0 || std::find(set_.paths().begin(), set_.paths().end(), path) != set_.paths().end();
  }

  void plan();
  const Shard* patchable(const ShardFile& shard) const;
  bool can_patch(const SafetensorsEntry& entry) const;
  bool is_same(std::size_t tensor, const std::string& old_name) const;
  void add_windows(const Shard& from, const SafetensorsEntry& entry, std::size_t tensor, std::vector<Window>& out) const;
  /// Of all tensors of a patched shard that are others.
  void add_windows(const PatchedShard& shard, std::vector<Window>& out) const;
  void prepare();
  void write_undo();
  void write_lost_shard(UndoWriter& undo, const Shard& shard, std::vector<Window>& windows) const;
  void read_new(const Window& window, MutableByteSpan out) const { weights_.read(window.tensor, window.tensor_offset, out); }
  void patch();
  void patch_file(const PatchedShard& shard);
  void discard() noexcept;

  const Repository& repository_;
  Filesystem& fs_;
  const std::string folder_;
  const CheckpointFolder& source_;
  const CheckoutRecord& before_;
  const FolderTarget& target_;
  const ChangeOptions& options_;
  const Progress& progress_;
  const StoredWeights& weights_;
  const FileSet set_;

  std::vector<PatchedShard> patched_;
  std::vector<std::string> written_;
  std::map<std::string, std::string> new_names_;  ///< of tensors that have another name in the folder now
  struct Place {
    const ShardFile* shard;
    const SafetensorsEntry* entry;
  };
  std::map<std::string, Place, std::less<>> new_places_;  ///< tensors of shards that are written anew
  std::vector<std::string> lost_;  ///< old files that are gone or others afterwards, and not patched
  std::map<std::string, CheckoutRecord::FileRow> kept_;
  FolderSwap swap_;
  bool sync_failed_ = false;
  ChangeReport report_;
};

bool FolderChanger::is_same(std::size_t tensor, const std::string& old_name) const {
  const auto old = target_.old->find(old_name);
  return old && target_.old->tensor_id(*old) == weights_.tensor_id(tensor);
}

/// Whether the tensor can be written over the one that is there while others are still to be read.
bool FolderChanger::can_patch(const SafetensorsEntry& entry) const {
  const std::size_t tensor = *weights_.find(entry.info.name);
  if (is_same(tensor, entry.info.name) || !target_.old_is_base) return true;
  const DerivedTensor* derived = weights_.derived(tensor);
  return derived != nullptr && derived->base_info().name == entry.info.name;
}

/// The old file with the same header, if its pages may be rewritten.
const Shard* FolderChanger::patchable(const ShardFile& shard) const {
  for (const Shard& old : source_.shards()) {
    if (old.header.raw != shard.header.raw || before_.files.count(old.path) == 0) continue;
    if (old.path != shard.path && (is_wanted(old.path) || before_.files.count(shard.path) > 0)) continue;
    const auto info = fs_.stat(full(old.path), false);
    // A second name of the file must not see the change.
    if (!info || info->type != FileInfo::Type::regular || info->links != 1) continue;
    const bool possible = std::all_of(shard.header.entries.begin(), shard.header.entries.end(), [&](const SafetensorsEntry& entry) { return can_patch(entry); });
    if (possible) return &old;
  }
  return nullptr;
}

void FolderChanger::plan() {
  std::set<std::string> sources;
  for (const ShardFile& shard : target_.files.shards) {
    const auto row = before_.files.find(shard.path);
    if (row != before_.files.end() && shard.sha256 && row->second.sha256 == *shard.sha256) continue;
    const Shard* from = patchable(shard);
    if (from == nullptr || sources.count(from->path) > 0) continue;
    if (from->path == shard.path && std::all_of(shard.header.entries.begin(), shard.header.entries.end(), [&](const SafetensorsEntry& entry) {
          return is_same(*weights_.find(entry.info.name), entry.info.name);
        })) {
      kept_.insert(*row);
      continue;
    }
    std::string link;
    if (from->path != shard.path) {
      link = temporary_checkout_name();
      try {
        fs_.link(full(from->path), full(link));
      } catch (const Error&) {
        continue;  // no hard links here: written anew
      }
      swap_.renames.emplace(link, shard.path);
    }
    sources.insert(from->path);
    patched_.push_back({&shard, from, link});
  }
  for (const std::string& path : set_.paths()) {
    if (kept_.count(path) > 0) continue;
    const auto row = before_.files.find(path);
    const auto digest = set_.known_digest(path);
    if (row != before_.files.end() && digest && row->second.sha256 == *digest) {
      kept_.insert(*row);
    } else if (std::none_of(patched_.begin(), patched_.end(), [&](const PatchedShard& shard) { return shard.shard->path == path; })) {
      written_.push_back(path);
    }
  }
  for (const ShardFile& shard : target_.files.shards) {
    if (std::find(written_.begin(), written_.end(), shard.path) == written_.end()) continue;
    for (const SafetensorsEntry& entry : shard.header.entries) new_places_.emplace(entry.info.name, Place{&shard, &entry});
  }
  for (const auto& [name, old_name] : target_.old_names) new_names_.emplace(old_name, name);
  for (const auto& [path, row] : before_.files) {
    if (target_.keep.count(path) > 0) kept_.emplace(path, row);
    if (!is_wanted(path)) swap_.removals.push_back(path);
    if (kept_.count(path) == 0 && sources.count(path) == 0) lost_.push_back(path);
  }
  report_.kept = kept_.size();
  report_.removed = swap_.removals.size();
}

void FolderChanger::add_windows(const Shard& from, const SafetensorsEntry& entry, std::size_t tensor, std::vector<Window>& out) const {
  const std::size_t old = *target_.old->find(entry.info.name);
  for (std::uint64_t at = 0; at < entry.info.bytes; at += kPieceBytes) {
    out.push_back({tensor, at, old, &from, from.header.raw.size() + entry.begin + at, std::min(kPieceBytes, entry.info.bytes - at)});
  }
}

void FolderChanger::add_windows(const PatchedShard& shard, std::vector<Window>& out) const {
  for (const SafetensorsEntry& entry : shard.shard->header.entries) {
    const std::size_t tensor = *weights_.find(entry.info.name);
    if (!is_same(tensor, entry.info.name)) add_windows(*shard.from, entry, tensor, out);
  }
}

/// An old shard that is not patched: its header, and each tensor as a new shard has it but for what differs, or whole.
void FolderChanger::write_lost_shard(UndoWriter& undo, const Shard& shard, std::vector<Window>& windows) const {
  undo.bytes(shard.path, 0, shard.header.raw);
  for (const SafetensorsEntry& entry : shard.header.entries) {
    const auto renamed = new_names_.find(entry.info.name);
    const auto place = new_places_.find(renamed != new_names_.end() ? renamed->second : entry.info.name);
    const std::uint64_t offset = shard.header.raw.size() + entry.begin;
    if (place == new_places_.end() || place->second.entry->info.dtype != entry.info.dtype || place->second.entry->info.bytes != entry.info.bytes) {
      undo.bytes(shard.path, offset, shard.data().subspan(entry.begin, entry.info.bytes));
      continue;
    }
    const ShardFile& holder = *place->second.shard;
    undo.copy(shard.path, offset, entry.info.bytes, holder.path, holder.header.raw.size() + place->second.entry->begin);
    const std::size_t tensor = *weights_.find(place->first);
    if (!is_same(tensor, entry.info.name)) add_windows(shard, entry, tensor, windows);
  }
}

void FolderChanger::write_undo() {
  UndoHead head;
  head.record = before_.serialize();
  head.commit = undo_target(target_.record).hex();
  for (const PatchedShard& shard : patched_) head.files.emplace(shard.from->path, shard.shard->path);
  for (const std::string& path : lost_) head.files.emplace(path, "");
  UndoWriter undo(fs_, full(temporary_checkout_name()), head);
  std::vector<Window> windows;
  for (const std::string& path : lost_) {
    const auto shard = std::find_if(source_.shards().begin(), source_.shards().end(), [&](const Shard& s) { return s.path == path; });
    if (shard != source_.shards().end()) {
      write_lost_shard(undo, *shard, windows);
    } else {
      undo.bytes(path, 0, read_file(fs_, full(path), OpenMode::read_store));
    }
  }
  const std::size_t lost_windows = windows.size();
  for (const PatchedShard& shard : patched_) add_windows(shard, windows);
  std::uint64_t done = 0, total = 0;
  for (const Window& window : windows) total += window.size;
  ordered_pipeline(
      windows.size(), options_.threads,
      [&](std::size_t i, Bytes& buffer) {
        const Window& window = windows[i];
        if (buffer.size() < window.size) buffer.resize(window.size);
        const MutableByteSpan out = MutableByteSpan(buffer).first(window.size);
        if (!target_.old_is_base) {
          target_.old->read(window.old_tensor, window.tensor_offset, out);
          if (!std::ranges::equal(out, window.before())) {
            throw Error(ErrorCode::conflict, in(window.from->path) + ": the tensor " + printable(target_.old->tensors()[window.old_tensor].name) + " is not that of " +
                                                 printable(before_.revision) + "; check out again with --force");
          }
        }
        read_new(window, out);
      },
      [&](std::size_t i, const Bytes& buffer) {
        const Window& window = windows[i];
        const std::uint64_t changed = undo.patch(window.from->path, window.offset, window.before(), ByteSpan(buffer).first(window.size));
        if (i >= lost_windows) report_.changed += changed;
        done += window.size;
        if (progress_) progress_(done, 2 * total);
      });
  report_.undo_bytes = undo.finish();
  fs_.rename(undo.path(), full(std::string(kPatchFile)));
}

/// Files that are written anew, and the undo file: all that can fail for the store's sake.
void FolderChanger::prepare() {
  std::uint64_t needed = 0;
  for (const std::string& path : written_) needed += set_.bytes(path);
  require_room(fs_, folder_, needed, "the change", options_.notice);
  CloneSources clones(repository_, folder_);
  WrittenFiles files;
  for (const std::string& path : written_) {
    const std::string temporary = temporary_checkout_name();
    swap_.renames.emplace(temporary, path);
    set_.write(fs_, path, full(temporary), options_.threads, progress_, files, clones);
  }
  swap_.record.files.merge(files.finish());
  report_.written = written_.size();
  report_.written_bytes = needed;
  write_undo();
}

void FolderChanger::discard() noexcept {
  try {
    if (exists(fs_, full(std::string(kPatchFile)))) fs_.remove(full(std::string(kPatchFile)));
    remove_leftovers(fs_, folder_);
  } catch (const Error&) {
    // What is left are temporary files; the next command removes them.
  }
}

void FolderChanger::patch_file(const PatchedShard& shard) {
  std::vector<Window> windows;
  add_windows(shard, windows);
  const auto file = fs_.open(full(shard.from->path), OpenMode::write);
  parallel_for(windows.size(), options_.threads, [&](std::size_t i) {
    const Window& window = windows[i];
    Bytes buffer(window.size);
    read_new(window, buffer);
    write_changed_pages(*file, window.offset, window.before(), buffer);
    file->start_writeback(window.offset, window.size);
  });
  try {
    file->sync();
  } catch (const Error&) {
    sync_failed_ = true;
    throw;
  }
  if (options_.verify) require_tensors(fs_, full(shard.from->path), shard.shard->header, weights_, options_.threads);
  const FileInfo info = file->info();
  const ObjectId sha256 = shard.shard->sha256 ? *shard.shard->sha256 : hash_file(fs_, full(shard.from->path));
  swap_.record.files[shard.shard->path] = {sha256, info.size, info.mtime_ns, info.inode};
  ++report_.patched;
}

void FolderChanger::patch() {
  try {
    fs_.sync_directory(folder_);  // from here on a kill is rolled back
    for (const PatchedShard& shard : patched_) patch_file(shard);
  } catch (...) {
    // After a failed sync nothing that this process sees is sure to be on the disk: the next command rolls back.
    if (!sync_failed_) {
      try {
        recover_folder(fs_, folder_);
      } catch (const Error&) {
        // The next command tries again.
      }
    }
    throw;
  }
}

}  // namespace

ChangeReport change_folder(const Repository& repository, const CheckpointFolder& source, const CheckoutRecord& before, const FolderTarget& target,
                           const ChangeOptions& options, const Progress& progress) {
  return FolderChanger(repository, source, before, target, options, progress).run();
}

}  // namespace dstore
