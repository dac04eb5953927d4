#pragma once

#include <string>

#include "base/random_bytes.h"
#include "base/scratch.h"
#include "base/sha256.h"
#include "catch.h"
#include "odb/object_store.h"
#include "odb/ref_log.h"

namespace dstore::test {

inline Bytes text_bytes(std::string_view text) {
  const ByteSpan bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

/// Compresses well.
inline Bytes dull_bytes(std::size_t size, unsigned seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i / 50 + seed) % 7);
  return bytes;
}

inline const std::vector<ObjectKind> kAllKinds = {ObjectKind::chunk,  ObjectKind::tensor,     ObjectKind::segment, ObjectKind::file,
                                                  ObjectKind::weights, ObjectKind::checkpoint, ObjectKind::delta,   ObjectKind::commit,
                                                  ObjectKind::evaluation, ObjectKind::signature};

inline std::string only_pack(const ObjectStore& store) {
  const auto names = store.packs();
  REQUIRE(names.size() == 1);
  return join_path(join_path(store.directory(), "packs"), pack_file_name(names.front()));
}

/// Overwrites a whole file, whatever its permissions.
inline void put_file(const std::string& path, ByteSpan bytes) {
  Filesystem& fs = posix_filesystem();
  if (exists(fs, path)) fs.remove(path);
  fs.open(path, OpenMode::create_new)->write_at(0, bytes);
}

inline ObjectId fake_id(std::string_view text) { return sha256(as_bytes(text)); }

}  // namespace dstore::test
