#pragma once

#include <memory>
#include <vector>

#include "odb/sqlite.h"

namespace dstore::sqlite {

/// What tells a cache of ours from any other SQLite file.
struct CacheSchema {
  std::int64_t application_id = 0;
  std::int64_t version = 0;
  std::vector<const char*> tables;  ///< what sqlite_schema must hold, text for text, in order of name
};

/// Opens or makes DIR/NAME. Anything that is not exactly this schema, or that SQLite calls corrupt, is deleted and made
/// anew. nullptr if it can be neither read nor made (read-only media).
std::unique_ptr<Connection> open_cache(Filesystem& fs, const std::string& dir, const std::string& name, const CacheSchema& schema);
/// Deletes DIR/NAME with its journal.
void remove_cache(Filesystem& fs, const std::string& dir, const std::string& name);

}  // namespace dstore::sqlite
