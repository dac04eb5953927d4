#pragma once

#include "odb/ref_log.h"
#include "repo/catalog_file.h"

namespace dstore {

/// The heads of one folder of refs ("refs", "remotes/origin"), kept in catalog.db for listings (spec/catalog.md, "Heads").
std::vector<KnownHead> load_heads(CatalogFile& file, const std::string& log);
void keep_heads(CatalogFile& file, const std::string& log, const std::vector<KnownHead>& heads);

}  // namespace dstore
