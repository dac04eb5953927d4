#include "tensor/checkpoint_folder.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "dstore/error.h"
#include "tensor/shard_index.h"

namespace dstore {
namespace {

constexpr std::string_view kSingleFile = "model.safetensors";
constexpr std::string_view kIndexFile = "model.safetensors.index.json";
constexpr std::string_view kSafetensors = ".safetensors";

bool is_root_safetensors(const std::string& path) {
  return path.find('/') == path.npos && path.ends_with(kSafetensors) && path.size() > kSafetensors.size();
}

const SideFile* find_file(const std::vector<SideFile>& files, std::string_view path) {
  const auto path_of = [](const SideFile& file) { return std::string_view(file.path); };
  const auto found = std::ranges::lower_bound(files, path, {}, path_of);
  return found != files.end() && found->path == path ? &*found : nullptr;
}

std::vector<std::string> notices_of(const FolderScan& scan) {
  std::vector<std::string> notices;
  const auto skipped = [&](const std::vector<std::string>& paths, const std::string& why) {
    for (const std::string& path : paths) notices.push_back("skipped " + printable(path) + ": " + why);
  };
  skipped(scan.pickles, "pickles are never read");
  skipped(scan.links, "a link that leads to no file");
  skipped(scan.specials, "not a regular file");
  return notices;
}

[[noreturn]] void refuse_without_safetensors(const FolderScan& scan, const std::string& folder) {
  for (const std::string& path : scan.links) {
    if (is_root_safetensors(path)) {
      throw Error(ErrorCode::not_found, printable(join_path(folder, path)) +
                                            ": a link to a file that is not there (an unfinished download?)");
    }
  }
  if (scan.pickles.empty()) {
    throw Error(ErrorCode::not_found, printable(folder) + ": no model here: no .safetensors file in this folder");
  }
  throw Error(ErrorCode::unsupported,
              printable(folder) + ": the weights are only there as a pickle (" + printable(scan.pickles.front()) +
                  "), which is never read; convert it: python -c \"import sys, torch; from safetensors.torch import "
                  "save_file; save_file({k: v.clone().contiguous() for k, v in torch.load(sys.argv[1], "
                  "weights_only=True).items()}, sys.argv[2], {'format': 'pt'})\" pytorch_model.bin model.safetensors");
}

}  // namespace

/// The tensors of all shards in one table, sorted by name.
class CheckpointFolder::Tensors : public TensorSource {
 public:
  explicit Tensors(const std::vector<Shard>& shards) : shards_(shards) {
    struct Row {
      const TensorInfo* info;
      TensorLocation location;
    };
    std::vector<Row> rows;
    for (std::size_t s = 0; s < shards.size(); ++s) {
      const auto& entries = shards[s].header.entries;
      for (std::size_t e = 0; e < entries.size(); ++e) rows.push_back({&entries[e].info, {s, e, entries[e].begin}});
    }
    std::ranges::sort(rows, {}, [](const Row& row) -> const std::string& { return row.info->name; });
    for (const Row& row : rows) {
      if (!infos_.empty() && infos_.back().name == row.info->name) {
        throw Error(ErrorCode::corrupt, "tensor '" + printable(row.info->name) + "' is both in " +
                                            printable(shards[locations_.back().shard].path) + " and in " +
                                            printable(shards[row.location.shard].path));
      }
      infos_.push_back(*row.info);
      locations_.push_back(row.location);
    }
  }

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  const TensorLocation& location(std::size_t index) const { return locations_.at(index); }

  std::span<const std::byte> view(std::size_t index) const override {
    const TensorLocation& at = locations_.at(index);
    return shards_[at.shard].data().subspan(at.offset, infos_[index].bytes);
  }

  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override {
    const std::span<const std::byte> bytes = view(index);
    if (offset > bytes.size() || out.size() > bytes.size() - offset) {
      throw Error(ErrorCode::invalid_argument, "tensor '" + printable(infos_[index].name) + "': read beyond its end");
    }
    if (!out.empty()) std::memcpy(out.data(), bytes.data() + offset, out.size());
  }

 private:
  const std::vector<Shard>& shards_;
  std::vector<TensorInfo> infos_;
  std::vector<TensorLocation> locations_;
};

CheckpointFolder::CheckpointFolder(Filesystem& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {
  FolderScan scan = scan_folder(fs_, folder_);
  notices_ = notices_of(scan);
  choose_shards(scan);
  map_shards();
  try {
    tensors_ = std::make_unique<Tensors>(shards_);
  } catch (const Error& error) {
    throw Error(error.code(), printable(folder_) + ": " + error.what());
  }
  check_index();
  const auto is_shard = [&](const SideFile& file) { return std::ranges::binary_search(shard_paths_, file.path); };
  std::ranges::remove_copy_if(scan.files, std::back_inserter(side_files_), is_shard);
  for (const SideFile& file : side_files_) {
    if (!is_root_safetensors(file.path)) continue;
    notices_.push_back(printable(file.path) + " is kept as a plain file: the weights are those of " +
                       (index_file_ ? *index_file_ : std::string(kSingleFile)));
  }
}

CheckpointFolder::~CheckpointFolder() = default;

void CheckpointFolder::choose_shards(const FolderScan& scan) {
  if (find_file(scan.files, kSingleFile) != nullptr) {
    shard_paths_ = {std::string(kSingleFile)};
  } else if (find_file(scan.files, kIndexFile) != nullptr) {
    index_file_ = kIndexFile;
    const std::string path = join_path(folder_, kIndexFile);
    weight_map_ = parse_shard_index(read_text_file(fs_, path, OpenMode::read, kMaxSafetensorsHeader), printable(path));
    std::set<std::string> named;
    for (const auto& [tensor, file] : weight_map_) named.insert(file);
    for (const std::string& file : named) {
      if (find_file(scan.files, file) == nullptr) {
        throw Error(ErrorCode::not_found,
                    shown(file) + ": this shard is named by " + std::string(kIndexFile) + " but is not there");
      }
    }
    shard_paths_.assign(named.begin(), named.end());
  } else {
    for (const SideFile& file : scan.files) {
      if (is_root_safetensors(file.path)) shard_paths_.push_back(file.path);
    }
  }
  if (shard_paths_.empty()) refuse_without_safetensors(scan, folder_);
}

void CheckpointFolder::map_shards() {
  for (const std::string& path : shard_paths_) {
    const ByteSpan bytes = mappings_.emplace_back(fs_.map(join_path(folder_, path))).bytes;
    shards_.push_back({path, parse_safetensors_header(bytes, bytes.size(), shown(path)), bytes});
  }
}

// Each tensor must be in the shard that the index names for it, and the shards must hold no others.
void CheckpointFolder::check_index() const {
  if (!index_file_) return;
  const std::string index = shown(*index_file_);
  const std::vector<TensorInfo>& held = tensors_->tensors();
  for (const auto& [name, file] : weight_map_) {
    const auto found = tensors_->find(name);
    const std::string holder = found ? shards_[location(*found).shard].path : "";
    if (holder == file) continue;
    throw Error(ErrorCode::corrupt, index + ": tensor '" + printable(name) + "' is not in " + printable(file) +
                                        (found ? " but in " + printable(holder) : ""));
  }
  if (held.size() == weight_map_.size()) return;
  const auto is_extra = [&](const TensorInfo& info) { return !weight_map_.contains(info.name); };
  const auto extra = std::ranges::find_if(held, is_extra);
  throw Error(ErrorCode::corrupt, index + ": does not name tensor '" + printable(extra->name) + "' of " +
                                      printable(shards_[location(extra - held.begin()).shard].path));
}

const TensorSource& CheckpointFolder::tensors() const { return *tensors_; }

const TensorLocation& CheckpointFolder::location(std::size_t index) const { return tensors_->location(index); }

std::vector<std::string> CheckpointFolder::side_files() const {
  std::vector<std::string> paths;
  for (const SideFile& file : side_files_) paths.push_back(file.path);
  return paths;
}

std::optional<std::string> CheckpointFolder::side_file(std::string_view path) const {
  const SideFile* file = find_file(side_files_, path);
  if (file == nullptr) return std::nullopt;
  return read_text_file(fs_, join_path(folder_, file->path), OpenMode::read, std::uint64_t{1} << 32);
}

std::string CheckpointFolder::description() const { return "folder " + printable(folder_); }

std::string CheckpointFolder::shown(std::string_view relative) const { return printable(join_path(folder_, relative)); }

}  // namespace dstore
