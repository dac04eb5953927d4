#pragma once

#include <sqlite3.h>

#include "repo/query.h"

namespace dstore {

/// What the views are filled from.
struct QuerySource {
  Catalog& catalog;
  std::vector<QueryRef> refs;
  std::vector<const CommitFacts*> commits;  ///< reachable from the refs
};

/// Makes the empty table of a view, and fills it.
void make_view(sqlite3* db, const QueryView& view);
void fill_view(sqlite3* db, const QueryView& view, const QuerySource& source);

}  // namespace dstore
