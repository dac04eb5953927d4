#include "repo/three_way_files.h"

#include <set>

#include "repo/compose.h"

namespace dstore {
namespace {

std::string describe(const std::optional<ObjectId>& base, const std::optional<ObjectId>& ours, const std::optional<ObjectId>& theirs) {
  if (!base) return "added by both";
  if (!ours) return "removed by ours, changed by theirs";
  if (!theirs) return "changed by ours, removed by theirs";
  return "changed by both";
}

}  // namespace

ModelFiles three_way_files(const PerSide<const ModelFiles*>& files, std::unique_ptr<ThreeWaySource> merged, std::optional<Side> choice, std::vector<FileConflict>& conflicts) {
  ModelFiles out;
  const DeltaTable names = name_delta(merged->model(Side::ours), *merged, merged->pairs_with(Side::ours));
  out.shards = compose_shards(files[Side::ours]->shards, names, merged->tensors());
  bool same_layout = out.shards.size() == files[Side::ours]->shards.size();
  for (std::size_t i = 0; same_layout && i < out.shards.size(); ++i) same_layout = out.shards[i].header.raw == files[Side::ours]->shards[i].header.raw;
  out.computed = std::move(merged);

  std::set<std::string> paths;
  for (const Side side : kSides) {
    for (const auto& [path, file] : files[side]->files) paths.insert(path);
  }
  paths.erase(std::string(kIndexFile));
  for (const std::string& path : paths) {
    const auto base = file_digest(*files[Side::base], path), ours = file_digest(*files[Side::ours], path), theirs = file_digest(*files[Side::theirs], path);
    std::optional<Side> from = ours == base ? Side::theirs : Side::ours;
    if (ours != base && theirs != base && ours != theirs) {
      conflicts.push_back({path, describe(base, ours, theirs)});
      from = choice;
    }
    if (!from) continue;
    const auto place = files[*from]->files.find(path);
    if (place != files[*from]->files.end()) out.files.insert(*place);
  }
  for (const ShardFile& shard : out.shards) out.files.erase(shard.path);
  const auto index = files[Side::ours]->files.find(std::string(kIndexFile));
  if (same_layout && index != files[Side::ours]->files.end()) {
    out.files.insert(*index);
  } else if (Bytes made = make_index(out.shards); !same_layout && !made.empty()) {
    out.files[std::string(kIndexFile)] = PlainFile{std::nullopt, std::move(made)};
  }
  return out;
}

}  // namespace dstore
