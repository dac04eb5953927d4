#pragma once

#include <filesystem>
#include <vector>

#include "object/samples.h"
#include "odb/object_store.h"
#include "tensor/dtype.h"

namespace dstore::test {

/// The packs of a new store with the objects of spec/objects.md, a file that compresses, and a chunk of these bf16 weights.
inline std::vector<Bytes> sample_packs(ByteSpan dull_file, ByteSpan weights) {
  Filesystem& fs = posix_filesystem();
  const std::string dir = (std::filesystem::temp_directory_path() / ("dstore-packs-" + random_name())).string();
  fs.make_directory(dir);
  ObjectStore::create(fs, dir);
  std::vector<Bytes> packs;
  {
    ObjectStore store = ObjectStore::open(fs, dir, IndexMode::memory);
    PackSession session = store.begin_write();
    for (const Sample& each : samples()) session.add(each.kind, each.bytes);
    session.add(ObjectKind::file, dull_file);
    session.add(ObjectKind::chunk, weights, chunk_layout(DType::bf16));
    for (const ObjectId& name : session.commit()) packs.push_back(read_file(fs, join_path(join_path(dir, "packs"), pack_file_name(name))));
  }
  std::filesystem::remove_all(dir);
  return packs;
}

}  // namespace dstore::test
