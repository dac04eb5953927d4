#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/filesystem.h"

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

/// nullopt if the folder is no checkout. Finishes a checkout that was interrupted after its point of no return.
std::optional<CheckoutRecord> read_checkout_record(Filesystem& fs, const std::string& folder);

struct FolderChange {
  std::string path;
  enum class Kind { changed, missing, foreign } kind = Kind::changed;
};

/// Files that are not as the checkout left them, by size, mtime and inode (by content too if `verify`), and files that
/// it did not write.
std::vector<FolderChange> folder_changes(Filesystem& fs, const std::string& folder, const CheckoutRecord& record, bool verify);

/// What is to happen to a folder in one step: files written under temporary names get theirs, others go.
struct FolderSwap {
  std::map<std::string, std::string> renames;  ///< temporary name (in the folder itself) → path
  std::vector<std::string> removals;
  CheckoutRecord record;
};

/// Writes the intent, then carries it out. Killed before the intent is durable: the folder is as before; after it: the
/// next command that looks at the folder finishes it.
void swap_folder(Filesystem& fs, const std::string& folder, const FolderSwap& swap);

/// Name for a file that will be renamed by swap_folder; leftovers are recognised by it.
std::string temporary_checkout_name();
/// Removes temporary files that a killed checkout left.
void remove_leftovers(Filesystem& fs, const std::string& folder);
/// Makes the folders above `folder/path`; Error{conflict} if one of them is a link or a file.
void make_parents(Filesystem& fs, const std::string& folder, const std::string& path);

}  // namespace dstore
