#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "repo/folder_lock.h"

namespace dstore {

inline constexpr std::string_view kCheckoutRecord = ".dstore-checkout";

/// What a checkout left in a folder (`.dstore-checkout`, canonical JSON; spec/repository.md, "Checked-out folders").
struct CheckoutRecord {
  struct FileRow {
    ObjectId sha256;  ///< of the content
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::uint64_t inode = 0;
  };
  std::string revision;  ///< as typed
  ObjectId commit;     ///< none where the revision is computed
  std::string expression;  ///< a computed revision with the ids of its commits (RevisionExpression::pinned()), else empty
  ObjectId base;       ///< none unless the revision was base+task
  std::string branch;  ///< empty unless the revision named a branch (also as the task of base+task)
  std::map<std::string, FileRow> files;

  std::string serialize() const;
  static CheckoutRecord parse(std::string_view text, std::string_view what);
};

/// nullopt if the folder is no checkout. Before that, finishes or takes back what a killed command began there (recover_folder
/// in repo/folder_undo.h); Error{conflict} if one is at it right now.
std::optional<CheckoutRecord> read_checkout_record(Filesystem& fs, const std::string& folder);
/// The same for who has the folder's lock.
std::optional<CheckoutRecord> read_checkout_record(Filesystem& fs, const std::string& folder, const FolderLock& lock);
/// The record as it lies there, whatever was begun.
std::optional<CheckoutRecord> load_checkout_record(Filesystem& fs, const std::string& folder);
/// Replaces the record alone. Durable on return.
void write_checkout_record(Filesystem& fs, const std::string& folder, const CheckoutRecord& record);
/// SHA-256 of a file in a checked-out folder.
ObjectId hash_file(Filesystem& fs, const std::string& path);

struct FolderChange {
  std::string path;
  enum class Kind { changed, missing, foreign } kind = Kind::changed;
};

/// Files that are not as the checkout left them, by size, mtime and inode (by content too if `verify`), and files that
/// it did not write.
std::vector<FolderChange> folder_changes(Filesystem& fs, const std::string& folder, const CheckoutRecord& record, bool verify);

/// "a, b, c and 2 more".
std::string list_paths(const std::vector<std::string>& paths);
/// Error{conflict} naming the files unless all are as the checkout left them. Returns those that it did not write.
std::set<std::string> require_unchanged(Filesystem& fs, const std::string& folder, const CheckoutRecord& record, bool verify);

/// What is to happen to a folder in one step: files written under temporary names get theirs, others go.
struct FolderSwap {
  std::map<std::string, std::string> renames;  ///< temporary name (in the folder itself) → path
  std::vector<std::string> removals;
  CheckoutRecord record;
  bool keeps_undo = false;  ///< `.dstore-patch` becomes `.dstore-undo`; else what could be undone is forgotten
};

/// Writes the intent, then carries it out. Killed before the intent is durable: the folder is as before; after it: the
/// next command that looks at the folder finishes it.
void swap_folder(Filesystem& fs, const std::string& folder, const FolderSwap& swap);
/// Carries out the intent of a swap that was killed; false if there is none.
bool finish_swap(Filesystem& fs, const std::string& folder);

/// Name for a file that will be renamed by swap_folder; leftovers are recognised by it.
std::string temporary_checkout_name();
/// Removes temporary files that a killed checkout left.
void remove_leftovers(Filesystem& fs, const std::string& folder);
/// Makes the folders above `folder/path`; Error{conflict} if one of them is a link or a file.
void make_parents(Filesystem& fs, const std::string& folder, const std::string& path);

}  // namespace dstore
