#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace dstore {

/// A file outside the store whose bytes serve as chunks without a second copy (spec/links.md).
struct LinkFile {
  struct Row {
    ObjectId id;               ///< of the chunk
    std::uint64_t offset = 0;  ///< of its bytes in the file
    std::uint64_t size = 0;

    friend bool operator==(const Row&, const Row&) = default;
  };
  std::string path;            ///< absolute, no links in it
  std::uint64_t size = 0;      ///< of the file when it was read
  std::int64_t mtime_ns = 0;
  std::uint64_t inode = 0;
  ObjectId sha256;             ///< of the whole file
  std::vector<Row> rows;       ///< sorted by id, each once

  /// Sorts the rows and drops repeated ids: of a content that the file has twice, the first place stays.
  void finish_rows();
  const Row* find(const ObjectId& id) const;

  Bytes serialize() const;
  /// Error{corrupt} naming `what` unless `bytes` is what serialize() writes of a well-formed link.
  static LinkFile parse(ByteSpan bytes, std::string_view what);

  friend bool operator==(const LinkFile&, const LinkFile&) = default;
};

}  // namespace dstore
