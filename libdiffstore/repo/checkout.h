#pragma once

#include <string>
#include <vector>

#include "base/room.h"
#include "repo/checkout_record.h"
#include "repo/open_revision.h"
#include "repo/write_delta.h"

namespace dstore {

struct CheckoutOptions {
  bool force = false;        ///< overwrite files that were changed or are not ours
  bool single_file = false;  ///< all tensors in one model.safetensors
  bool verify = false;       ///< hash the files that are kept, too
  bool adapter = false;      ///< the folder of the adapter that the task was committed from, in place of the model
  bool record = true;        ///< false: a plain folder, which must be new or empty
  unsigned threads = 0;
  Notice notice{};           ///< told the sizes of a large checkout
};

struct CheckoutReport {
  std::vector<CheckedCommit> commits;  ///< whose signatures were checked, the task (or only) commit first
  ObjectId weights;                    ///< verified; none where the revision is computed
  std::optional<SumSource::Overlap> overlap;  ///< of a sum
  std::size_t written = 0;
  std::size_t kept = 0;                ///< files that were already as wanted
  std::size_t removed = 0;
  std::uint64_t bytes = 0;             ///< written
  bool in_place = false;               ///< into an earlier checkout
};

/// Writes a revision's files into `folder`: a new or empty one (it appears whole or not at all), or one that was checked
/// out before (only what differs is rewritten; see swap_folder). Signatures, objects, tensors and recorded file digests
/// are verified before a file gets its name. Error{conflict} if files there were changed by hand or are not dstore's.
CheckoutReport checkout(const Repository& repository, const Revision& revision, const std::string& folder,
                        const CheckoutOptions& options, const Progress& progress);

/// Writes files into a folder that must not exist: it appears whole or not at all. The record's files are filled in; the
/// report's commits are the caller's. `like`: shards of `files` → files elsewhere of which they differ in few pages; where the
/// file system can, they share the other blocks.
CheckoutReport write_new_folder(const Repository& repository, const ModelFiles& files, CheckoutRecord record, const std::string& folder,
                                const CheckoutOptions& options, const Progress& progress, const std::map<std::string, std::string>& like = {});

/// The record of a checkout, without files.
CheckoutRecord new_record(const Revision& revision);

}  // namespace dstore
