#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/decimal.h"
#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/query.h"

namespace dstore::cli {
namespace {

constexpr std::size_t kMostTableRows = 100'000;  ///< columns are aligned over all of them
constexpr std::size_t kWidestCell = 60;          ///< on a terminal

std::string hex_text(const Bytes& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte b : bytes) text += {kDigits[std::to_integer<unsigned>(b) >> 4], kDigits[std::to_integer<unsigned>(b) & 15]};
  return text;
}

/// NULL is empty text.
std::string cell_text(const QueryValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return shortest_decimal(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* bytes = std::get_if<Bytes>(&value)) return hex_text(*bytes);
  return "";
}

nlohmann::ordered_json cell_json(const QueryValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (std::holds_alternative<std::monostate>(value)) return nullptr;
  return cell_text(value);
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

void print_csv(const Session& session, Query& query) {
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (const std::string& cell : cells) text += (&cell == &cells.front() ? "" : ",") + csv_cell(terminal ? printable(cell) : cell);
    session.say(text);
  };
  line(query.columns());
  while (const auto row = query.next()) {
    std::vector<std::string> cells;
    for (const QueryValue& value : *row) cells.push_back(cell_text(value));
    line(cells);
  }
}

/// An array of objects, a member for each column.
void print_json_rows(Query& query) {
  const std::vector<std::string>& columns = query.columns();
  if (std::set<std::string>(columns.begin(), columns.end()).size() != columns.size()) {
    throw Error(ErrorCode::invalid_argument, "query: two columns have one name; give them names with AS");
  }
  auto out = nlohmann::ordered_json::array();
  while (const auto row = query.next()) {
    nlohmann::ordered_json object;
    for (std::size_t c = 0; c < columns.size(); ++c) object[columns[c]] = cell_json((*row)[c]);
    out.push_back(std::move(object));
  }
  print_pretty(out);
}

void print_table(const Session& session, Query& query) {
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  const auto shown = [&](const std::string& text) { return terminal ? shorten(printable(text), kWidestCell) : printable(text); };
  std::vector<std::vector<std::string>> rows;
  std::vector<bool> numbers(query.columns().size(), true);
  while (const auto row = query.next()) {
    if (rows.size() == kMostTableRows) {
      throw Error(ErrorCode::invalid_argument, "query: more than 100,000 rows; add LIMIT, or print them with --csv");
    }
    std::vector<std::string>& cells = rows.emplace_back();
    for (std::size_t c = 0; c < row->size(); ++c) {
      const QueryValue& value = (*row)[c];
      if (std::holds_alternative<std::string>(value) || std::holds_alternative<Bytes>(value)) numbers[c] = false;
      cells.push_back(shown(cell_text(value)));
    }
  }
  std::vector<std::string> headings;
  for (std::size_t c = 0; c < numbers.size(); ++c) headings.push_back((numbers[c] ? ">" : "") + shown(query.columns()[c]));
  Table table(headings);
  for (auto& row : rows) table.add(std::move(row));
  std::string text = table.text();
  if (!text.empty()) text.pop_back();
  session.say(text);
}

/// --json: [{view, meaning, columns[{name, type, meaning}]}].
void print_schema(const Session& session) {
  auto out = nlohmann::ordered_json::array();
  std::string text;
  for (const QueryView& view : query_views()) {
    auto columns = nlohmann::ordered_json::array();
    Table table({"", "", ""});
    for (const QueryColumn& column : view.columns) {
      columns.push_back({{"name", column.name}, {"type", column.type}, {"meaning", column.meaning}});
      table.add({column.name, column.type, column.meaning});
    }
    out.push_back({{"view", view.name}, {"meaning", view.meaning}, {"columns", std::move(columns)}});
    text += session.paint("1", view.name) + ": " + view.meaning + "\n" + table.text("  ");
  }
  text.pop_back();
  if (session.json) print_pretty(out);
  session.say(text);
}

int run(const Arguments& arguments, Session& session) {
  if (arguments.has("schema")) {
    print_schema(session);
    return 0;
  }
  if (!arguments.has("sql")) throw Error(ErrorCode::invalid_argument, "query: give a SELECT, or --schema to see the views");
  if (session.json && arguments.has("csv")) throw Error(ErrorCode::invalid_argument, "query: --json or --csv, not both");
  const Repository repository = session.open();
  RefView view = view_refs(session, repository);
  std::vector<QueryRef> refs;
  for (RefEntry& head : view.local) refs.push_back({"", std::move(head)});
  for (auto& [remote, heads] : view.remotes) {
    for (RefEntry& head : heads) refs.push_back({remote, std::move(head)});
  }
  Catalog catalog(repository, session.progress("cataloguing"));
  Query query(catalog, std::move(refs), arguments.get("sql"));
  if (session.json) {
    print_json_rows(query);
  } else if (arguments.has("csv")) {
    print_csv(session, query);
  } else {
    print_table(session, query);
  }
  return 0;
}

}  // namespace

Command query_command() {
  return {"query", "Look", "Ask anything about commits, deltas, tensors, metrics and refs in SQL",
          "dstore query \"SELECT task, max(value) AS best FROM commits WHERE metric = 'accuracy' GROUP BY task\"",
          {{"sql", "One SELECT over the views", PositionalSpec::optional}},
          {{"--schema", nullptr, "Print the views with their columns"}, {"--csv", nullptr, "Print comma-separated values"}},
          run};
}

}  // namespace dstore::cli
