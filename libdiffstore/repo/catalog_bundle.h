#pragma once

#include "repo/catalog_file.h"

namespace dstore {

/// Many small rows of the catalog in a few large ones, compressed (spec/catalog.md, "Bundles"): read at once instead of one by one.
/// Each is the content of a row under the key bundle_key(0), bundle_key(1), ...
std::vector<Bytes> pack_bundles(const std::vector<CatalogFile::Row>& rows);
Bytes bundle_key(std::size_t number);

/// The rows of all bundles, whose bytes lie in `blocks`. A bundle that pack_bundles() did not write is left out.
struct BundledRows {
  std::vector<CatalogFile::Row> rows;
  std::vector<std::unique_ptr<std::byte[]>> blocks;
};
BundledRows unpack_bundles(const CatalogFile::Rows& bundles);

}  // namespace dstore
