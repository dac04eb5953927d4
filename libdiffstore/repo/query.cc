#include "repo/query.h"

#include <algorithm>
#include <set>

#include "base/edit_distance.h"
#include "base/interrupt.h"
#include "dstore/error.h"
#include "repo/query_views.h"

namespace dstore {
namespace {

constexpr int kStepsBetweenLooks = 10'000;                     ///< of SQLite's machine, between two looks for Ctrl-C
constexpr sqlite3_int64 kMemory = sqlite3_int64{4} << 30;      ///< all of SQLite's: a query beyond that fails, not the machine
constexpr int kLongestValue = 64 << 20;

/// Views and table-valued functions that a statement reads; everything else is refused.
struct Guard {
  std::set<std::string> views;
  std::string refused;  ///< what was asked for first
};

bool is_view(std::string_view name) {
  const auto& views = query_views();
  return std::any_of(views.begin(), views.end(), [&](const QueryView& view) { return name == view.name; });
}

int authorize(void* context, int action, const char* first, const char* second, const char*, const char*) {
  Guard& guard = *static_cast<Guard*>(context);
  const std::string_view name = first != nullptr ? first : "";
  if (action == SQLITE_SELECT || action == SQLITE_RECURSIVE) return SQLITE_OK;
  if (action == SQLITE_FUNCTION && second != nullptr && std::string_view(second) != "load_extension") return SQLITE_OK;
  if (action == SQLITE_READ && (name == "json_each" || name == "json_tree")) return SQLITE_OK;
  if (action == SQLITE_READ && (is_view(name) || name.empty())) {
    if (!name.empty()) guard.views.emplace(name);
    return SQLITE_OK;
  }
  if (guard.refused.empty()) guard.refused = action == SQLITE_READ ? "reads " + printable(name) : "does more than that";
  return SQLITE_DENY;
}

int stop_if_interrupted(void*) {
  try {
    check_interrupt();
    return 0;
  } catch (const Interrupted&) {
    return 1;
  }
}

/// "; did you mean accuracy?" for "no such column: acuracy" and "no such table: commit".
std::string suggestion(std::string_view message) {
  const std::size_t colon = message.rfind(": ");
  if (!message.starts_with("no such ") || colon == std::string_view::npos) return "";
  const bool table = message.starts_with("no such table");
  std::string word(message.substr(colon + 2));
  word = word.substr(word.find('.') == std::string::npos ? 0 : word.find('.') + 1);
  std::vector<std::string> names;
  for (const QueryView& view : query_views()) {
    if (table) names.emplace_back(view.name);
    if (table) continue;
    for (const QueryColumn& column : view.columns) names.emplace_back(column.name);
  }
  const auto near = nearest(word, names);
  return near ? "; did you mean " + *near + "?" : "; `dstore query --schema` lists what there is";
}

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::invalid_argument, "query: " + message); }

}  // namespace

struct Query::State {
  State() {
    sqlite3_hard_heap_limit64(kMemory);
    if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK) {
      sqlite3_close_v2(db);
      throw Error(ErrorCode::io, "query: SQLite cannot be started");
    }
    for (const int option : {SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL, SQLITE_DBCONFIG_ENABLE_TRIGGER}) sqlite3_db_config(db, option, 0, nullptr);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, kLongestValue);
    sqlite3_exec(db, "PRAGMA temp_store=MEMORY", nullptr, nullptr, nullptr);
    // These make themselves known when they are first named, which the authorizer would take for a table that is made.
    sqlite3_exec(db, "SELECT 1 FROM json_each('[]'), json_tree('[]')", nullptr, nullptr, nullptr);
    sqlite3_progress_handler(db, kStepsBetweenLooks, stop_if_interrupted, nullptr);
  }
  ~State() {
    sqlite3_finalize(statement);
    sqlite3_close_v2(db);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void guarded(bool on) { sqlite3_set_authorizer(db, on ? authorize : nullptr, &guard); }

  void prepare(const std::string& sql) {
    const char* rest = nullptr;
    if (sqlite3_prepare_v2(db, sql.c_str(), static_cast<int>(sql.size()), &statement, &rest) != SQLITE_OK) {
      const std::string message = sqlite3_errmsg(db);
      if (!guard.refused.empty()) {
        fail("only SELECT over the views is possible, and this " + guard.refused + "; `dstore query --schema` lists them");
      }
      fail(printable(message) + suggestion(message));
    }
    const std::string_view after(rest);
    if (statement == nullptr) fail("there is no statement; example: SELECT method, count(*) FROM commits GROUP BY method");
    if (after.find_first_not_of(" \t\r\n;") != std::string_view::npos) fail("one statement at a time; there is more after the first");
    if (sqlite3_stmt_readonly(statement) == 0 || sqlite3_column_count(statement) == 0) fail("only SELECT over the views is possible");
    if (sqlite3_stmt_isexplain(statement) != 0) fail("only SELECT over the views is possible, not EXPLAIN");
    for (int i = 0; i < sqlite3_column_count(statement); ++i) columns.emplace_back(sqlite3_column_name(statement, i));
  }

  sqlite3* db = nullptr;
  sqlite3_stmt* statement = nullptr;
  Guard guard;
  std::vector<std::string> columns;
};

Query::Query(Catalog& catalog, std::vector<QueryRef> refs, const std::string& sql) : state_(std::make_unique<State>()) {
  try {
    for (const QueryView& view : query_views()) make_view(state_->db, view);
    state_->guarded(true);
    state_->prepare(sql);
    state_->guarded(false);
    QuerySource source{catalog, std::move(refs), {}};
    std::vector<ObjectId> heads;
    for (const QueryRef& ref : source.refs) heads.push_back(ref.head.new_commit);
    const std::set<std::string>& used = state_->guard.views;
    if (!used.empty() && used != std::set<std::string>{"refs"}) source.commits = catalog.commits(catalog.history(heads));
    for (const QueryView& view : query_views()) {
      if (used.count(view.name) > 0) fill_view(state_->db, view, source);
    }
    state_->guarded(true);
  } catch (const IndexFailure& failure) {
    check_interrupt();
    fail(printable(failure.what()));
  }
}

Query::~Query() = default;
Query::Query(Query&&) noexcept = default;

const std::vector<std::string>& Query::columns() const { return state_->columns; }

std::optional<std::vector<QueryValue>> Query::next() {
  sqlite3_stmt* statement = state_->statement;
  const int status = sqlite3_step(statement);
  if (status == SQLITE_DONE) return std::nullopt;
  if (status != SQLITE_ROW) {
    check_interrupt();
    fail(printable(sqlite3_errmsg(state_->db)));
  }
  std::vector<QueryValue> row;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) {
    const int type = sqlite3_column_type(statement, i);
    const auto size = [&] { return static_cast<std::size_t>(sqlite3_column_bytes(statement, i)); };
    if (type == SQLITE_INTEGER) {
      row.emplace_back(std::int64_t{sqlite3_column_int64(statement, i)});
    } else if (type == SQLITE_FLOAT) {
      row.emplace_back(sqlite3_column_double(statement, i));
    } else if (type == SQLITE_TEXT) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      row.emplace_back(std::string(text, size()));
    } else if (type == SQLITE_BLOB) {
      const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement, i));
      row.emplace_back(Bytes(bytes, bytes + size()));
    } else {
      row.emplace_back(std::monostate());
    }
  }
  return row;
}

}  // namespace dstore
