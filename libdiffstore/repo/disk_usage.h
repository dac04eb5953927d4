#pragma once

#include <string>
#include <vector>

#include "repo/repository.h"

namespace dstore {

/// Where the bytes of all packs go: a record counts with its framing (header, row of the trailer). Each byte is in exactly
/// one of exclusive, shared, elsewhere, copies, garbage, framing and unreadable, so they add up to `total`.
struct DiskUsage {
  struct Ref {
    std::string name;
    ObjectId commit;
    std::uint64_t exclusive = 0;  ///< what would be garbage without this branch or tag
    std::uint64_t shared = 0;     ///< what it uses, and others too
  };
  std::vector<Ref> refs;
  std::uint64_t exclusive = 0;   ///< sum over all refs
  std::uint64_t shared = 0;      ///< used by several refs, each byte once
  std::uint64_t elsewhere = 0;   ///< used by remotes' mirrors and staged trainings alone
  std::uint64_t copies = 0;      ///< second copies of objects that are used
  std::uint64_t garbage = 0;     ///< used by nothing
  std::uint64_t framing = 0;     ///< headers and trailers of packs
  std::uint64_t unreadable = 0;  ///< packs whose trailer is damaged
  std::uint64_t total = 0;       ///< sizes of the files

  std::uint64_t bases = 0;  ///< of exclusive + shared + elsewhere: what bases need
  std::uint64_t tasks = 0;  ///< the rest of it: deltas, their files, commits and signatures
};

/// Error{corrupt} where something that a ref needs cannot be read.
DiskUsage disk_usage(const Repository& repository);

}  // namespace dstore
