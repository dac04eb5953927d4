#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/filesystem.h"
#include "dstore/model.h"
#include "tensor/folder_scan.h"
#include "tensor/safetensors.h"

namespace dstore {

/// One safetensors file of a model.
struct Shard {
  std::string path;  ///< relative to the folder: a plain file name
  SafetensorsHeader header;
  ByteSpan bytes;  ///< the whole file, mapped
  ByteSpan data() const { return bytes.subspan(header.raw.size()); }
};

/// Where a tensor's bytes stand: shards()[shard].data() at `offset`.
struct TensorLocation {
  std::size_t shard = 0;
  std::size_t entry = 0;  ///< index into the shard's header.entries
  std::uint64_t offset = 0;
};

/// A Hugging Face style folder, opened for reading. Its shards are, as in transformers: `model.safetensors` if it is
/// there; else what `model.safetensors.index.json` names (all of it must be there); else every `*.safetensors` in the
/// folder itself (adapter_model.safetensors, ...). Every other regular file, also in subfolders and also a safetensors
/// file, is a side file, except what .dstoreignore leaves out, dstore's and git's own files, and pickles, which
/// are never opened. Links to regular files count as files, links to folders are not followed.
/// The mapped files must not be truncated meanwhile. Immutable and thread-safe after construction.
class CheckpointFolder : public Model {
 public:
  /// Error{not_found}: no folder, no model in it, a missing shard. {corrupt}: damaged files. {unsupported}: only
  /// pickles, an unknown dtype. {invalid_argument}: a file name that no checkpoint can hold.
  CheckpointFolder(Filesystem& fs, std::string folder);
  ~CheckpointFolder() override;

  // Model
  const TensorSource& tensors() const override;
  std::vector<std::string> side_files() const override;
  std::optional<std::string> side_file(std::string_view path) const override;
  std::string description() const override;
  std::optional<ObjectId> commit() const override { return std::nullopt; }

  const std::string& path() const { return folder_; }
  const std::vector<Shard>& shards() const { return shards_; }  ///< sorted by path
  /// For tensors().tensors()[index].
  const TensorLocation& location(std::size_t index) const;
  const std::vector<SideFile>& side_file_list() const { return side_files_; }  ///< sorted by path
  /// Name of the index (also a side file) that names the shards; nullopt if there is none in use.
  const std::optional<std::string>& index_file() const { return index_file_; }
  /// What was left out and why, one line each, for the user.
  const std::vector<std::string>& notices() const { return notices_; }

 private:
  class Tensors;

  void choose_shards(const FolderScan& scan);
  void map_shards();
  void check_index() const;
  std::string shown(std::string_view relative) const;

  Filesystem& fs_;
  std::string folder_;
  std::vector<std::string> shard_paths_;           // sorted
  std::map<std::string, std::string> weight_map_;  // of index_file_
  std::vector<Mapping> mappings_;
  std::vector<Shard> shards_;
  std::unique_ptr<Tensors> tensors_;
  std::vector<SideFile> side_files_;
  std::optional<std::string> index_file_;
  std::vector<std::string> notices_;
};

}  // namespace dstore
