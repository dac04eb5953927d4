#include <algorithm>
#include <unordered_map>

#include "base/parallel.h"
#include "odb/ref_log.h"

namespace dstore {
namespace {

constexpr std::size_t kFewRefs = 16;    ///< as fast without hints
constexpr std::size_t kRefsAtOnce = 512;
constexpr std::size_t kKeptAfter = 16;  ///< heads are kept when one in so many was read anew

/// What one thread finds for a run of refs.
struct Found {
  std::vector<KnownHead> heads;  ///< deletions too
  std::vector<Error> damaged;
  std::size_t read = 0;          ///< of the heads, from files
};

}  // namespace

bool RefLog::is_head(const KnownHead& known) const {
  const auto info = fs_.stat(entry_path(known.entry.ref, known.entry.sequence), false);
  if (!info || info->type != FileInfo::Type::regular) return false;
  if (info->size != known.size || info->mtime_ns != known.mtime_ns || info->inode != known.inode) return false;
  if (repository_ && known.entry.repository != *repository_) return false;
  return !exists(fs_, entry_path(known.entry.ref, known.entry.sequence + 1));
}

RefHeads RefLog::listed_heads() const {
  if (hints_ == nullptr) return all_heads();
  const std::vector<RefName> refs = names(false);
  if (refs.size() <= kFewRefs) return all_heads();
  std::vector<KnownHead> known = hints_->heads();
  std::unordered_map<std::string_view, const KnownHead*> places;
  places.reserve(known.size());
  for (const KnownHead& head : known) places.emplace(head.entry.ref.text(), &head);
  std::vector<Found> runs((refs.size() + kRefsAtOnce - 1) / kRefsAtOnce);
  parallel_for(runs.size(), 0, [&](std::size_t run) {
    Found& found = runs[run];
    for (std::size_t i = run * kRefsAtOnce; i < std::min(refs.size(), (run + 1) * kRefsAtOnce); ++i) {
      const auto place = places.find(refs[i].text());
      if (place != places.end() && is_head(*place->second)) {
        found.heads.push_back(*place->second);
        continue;
      }
      try {
        auto entry = head(refs[i]);
        if (!entry) continue;
        const FileInfo info = fs_.stat(entry_path(refs[i], entry->sequence), false).value_or(FileInfo{});
        entry->signature.clear();
        found.heads.push_back({std::move(*entry), info.size, info.mtime_ns, info.inode});
        ++found.read;
      } catch (const Error& error) {
        found.damaged.push_back(error);
      }
    }
  });
  RefHeads out;
  std::vector<KnownHead> now;
  std::size_t read = 0;
  for (Found& found : runs) {
    read += found.read;
    out.damaged.insert(out.damaged.end(), found.damaged.begin(), found.damaged.end());
    now.insert(now.end(), std::make_move_iterator(found.heads.begin()), std::make_move_iterator(found.heads.end()));
  }
  if (read * kKeptAfter > refs.size()) hints_->put_heads(now);
  for (KnownHead& head : now) {
    if (!head.entry.is_deletion()) out.heads.push_back(std::move(head.entry));
  }
  std::sort(out.heads.begin(), out.heads.end(), [](const RefEntry& a, const RefEntry& b) { return a.ref < b.ref; });
  return out;
}

}  // namespace dstore
