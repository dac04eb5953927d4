#include "repo/repack.h"

#include <algorithm>
#include <unordered_map>

#include "object/chunked.h"
#include "repo/reachable.h"

namespace dstore {
namespace {

using Layouts = std::unordered_map<ObjectId, ChunkLayout>;

/// Of every chunk that a tensor names.
Layouts chunk_layouts(const Repository& repository) {
  Layouts out;
  const ObjectStore& store = repository.store();
  store.for_each(ObjectKind::tensor, [&](const ObjectEntry& entry) {
    const TensorObject tensor = TensorObject::parse(store.read(ObjectKind::tensor, entry.id), "tensor " + entry.id.short_hex());
    for (const ObjectId& chunk : tensor.chunks) out.emplace(chunk, chunk_layout(tensor.dtype));
  });
  return out;
}

std::size_t count_small(const Repository& repository, std::uint64_t limit) {
  std::size_t count = 0;
  for (const ObjectId& name : repository.store().packs()) {
    const auto info = repository.fs().stat(repository.path("packs/" + pack_file_name(name)), false);
    if (info && info->size < limit) ++count;
  }
  return count;
}

}  // namespace

CollectReport repack(Repository& repository, CollectOptions options) {
  const std::uint64_t target = options.pack_target;
  const bool join = count_small(repository, target / 2) > 1;
  Layouts layouts;
  if (options.profile == Profile::compact) layouts = chunk_layouts(repository);
  const auto stored_otherwise = [&](const PackEntry& entry) {
    if (entry.kind != ObjectKind::chunk || !options.profile) return false;
    return *options.profile == Profile::compact ? entry.codec != Codec::planes && layouts.contains(entry.id) : entry.codec == Codec::planes;
  };
  options.layout = [&](const ObjectId& chunk) -> std::optional<ChunkLayout> {
    const auto found = layouts.find(chunk);
    return found == layouts.end() ? std::nullopt : std::optional(found->second);
  };
  options.rewrite = [&](const std::vector<PackEntry>& entries, std::uint64_t bytes) {
    if (join && bytes < target / 2) return true;
    // Trailer and header come on top of the target.
    if (entries.size() > 1 && bytes > target + layout::kPackHeaderSize + layout::kTrailerHeaderSize + layout::kTrailerTailSize + entries.size() * layout::kTrailerEntrySize) return true;
    return std::any_of(entries.begin(), entries.end(), stored_otherwise);
  };
  EverythingLives nothing_dead;
  return repository.store().collect(nothing_dead, options);
}

}  // namespace dstore
