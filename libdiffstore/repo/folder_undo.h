#pragma once

#include <string>

#include "base/filesystem.h"
#include "repo/checkout_record.h"
#include "repo/undo_file.h"

namespace dstore {

// One undo file under three names says how far a change of a checked-out folder, or its undoing, has come (spec/apply.md):
inline constexpr std::string_view kPatchFile = ".dstore-patch";      ///< pages are being written: to be put back
inline constexpr std::string_view kUndoFile = ".dstore-undo";        ///< the change is done: `unapply` takes it back
inline constexpr std::string_view kUndoingFile = ".dstore-undoing";  ///< it is being taken back: to be finished

/// Whether a change or its undoing was begun and not finished.
bool is_unfinished(Filesystem& fs, const std::string& folder);
/// Afterwards the folder is as before what a killed command began in it, or as after. The caller has the folder's lock.
void recover_folder(Filesystem& fs, const std::string& folder);

/// Writes the old bytes back into the files that are patched in place, under their old paths (or, `moved`, the new ones), and
/// updates their rows of `record`. May be repeated.
void restore_pages(Filesystem& fs, const std::string& folder, const UndoFile& undo, bool moved, CheckoutRecord& record);

/// `.dstore-patch` becomes `.dstore-undo`; false if that was done before. Not synced.
bool keep_undo(Filesystem& fs, const std::string& folder);
/// No change can be taken back any more; false if none could. Not synced.
bool forget_undo(Filesystem& fs, const std::string& folder);

/// What an undo file names the record by that its change leads to: the commit, or of what is computed SHA-256 of the expression.
ObjectId undo_target(const CheckoutRecord& record);

struct UnapplyReport {
  std::string undone;         ///< the revision that was there
  std::string revision;       ///< the one that is there now
  std::uint64_t patched = 0;  ///< bytes put back
  std::size_t rewritten = 0;  ///< files made anew
};

/// Takes the last apply or switch back. Error{not_found} if there is none, {conflict} if files were changed since; nothing is
/// written then.
UnapplyReport unapply(Filesystem& fs, const std::string& folder);

}  // namespace dstore
