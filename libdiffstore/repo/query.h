#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "repo/catalog.h"

namespace dstore {

/// A view that queries may name (`dstore query --schema`, spec/catalog.md).
struct QueryColumn {
  const char* name;
  const char* type;  ///< of SQLite: TEXT, INTEGER, REAL
  const char* meaning;
};
struct QueryView {
  const char* name;
  const char* meaning;
  std::vector<QueryColumn> columns;
};
const std::vector<QueryView>& query_views();

/// A ref that queries see.
struct QueryRef {
  std::string remote;  ///< empty: of the repository itself
  RefEntry head;
  /// "base", "origin/base".
  std::string name() const { return remote.empty() ? head.ref.text() : remote + "/" + head.ref.text(); }
};

/// NULL, INTEGER, REAL, TEXT, BLOB.
using QueryValue = std::variant<std::monostate, std::int64_t, double, std::string, Bytes>;

/// One SELECT over the views. They are tables in memory, filled with verified rows of the catalog, and only those that the
/// statement reads; so no file decides what it sees, and nothing can be changed by it. Ctrl-C ends it (Interrupted). The
/// catalog must outlive it.
class Query {
 public:
  /// Commits are those reachable from the refs. Error{invalid_argument} for anything but one SELECT over the views.
  Query(Catalog& catalog, std::vector<QueryRef> refs, const std::string& sql);
  ~Query();
  Query(Query&&) noexcept;

  const std::vector<std::string>& columns() const;
  /// nullopt at the end. Error{invalid_argument} if the statement fails on its way (a limit, a function's argument).
  std::optional<std::vector<QueryValue>> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dstore
