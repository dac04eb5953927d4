#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace dstore {

/// The content of an object of kind `checkpoint`: which weights, in which files (spec/objects.md, "checkpoint").
/// Paths are safe relative paths, sorted, no path twice.
struct CheckpointTable {
  struct ShardRow {
    std::string path;
    ObjectId header;      ///< file object: the shard's first bytes, length field and padding included
    std::uint64_t bytes = 0;  ///< of the whole shard
    ObjectId sha256;      ///< plain SHA-256 of the whole shard
  };
  struct FileRow {
    std::string path;
    ObjectId file;
  };
  ObjectId weights;
  std::vector<ShardRow> shards;
  std::vector<FileRow> files;

  /// Sorts both tables.
  Bytes serialize();
  static CheckpointTable parse(ByteSpan bytes, std::string_view what);
};

}  // namespace dstore
