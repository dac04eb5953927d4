#include "repo/query_views.h"

#include <algorithm>
#include <ctime>
#include <set>

#include "base/decimal.h"
#include "base/json.h"
#include "delta/element.h"
#include "odb/sqlite.h"

namespace dstore {
namespace {

/// Fills one table, a row for each call; values in the order of its columns.
class Inserter {
 public:
  Inserter(sqlite3* db, const QueryView& view) {
    std::string sql = std::string("INSERT INTO ") + view.name + " VALUES(";
    for (std::size_t i = 0; i < view.columns.size(); ++i) sql += i == 0 ? "?" : ", ?";
    insert_ = sqlite::Statement(db, sql + ")");
  }

  template <typename... Values>
  void row(const Values&... values) {
    int at = 0;
    (bind(++at, values), ...);
    insert_.run();
  }

 private:
  void bind(int at, const std::string& text) { insert_.bind(at, std::string_view(text)); }
  void bind(int at, std::string_view text) { insert_.bind(at, text); }
  void bind(int at, const char* text) { insert_.bind(at, std::string_view(text)); }
  void bind(int at, const ObjectId& id) { bind_or_null(at, !id.is_none(), id.hex()); }
  void bind(int at, std::uint64_t number) { insert_.bind(at, static_cast<std::int64_t>(number)); }
  void bind(int at, std::int64_t number) { insert_.bind(at, number); }
  void bind(int at, double number) { insert_.bind(at, number); }
  template <typename Value>
  void bind(int at, const std::optional<Value>& value) {
    if (value) {
      bind(at, *value);
    } else {
      insert_.bind_null(at);
    }
  }
  void bind_or_null(int at, bool present, const std::string& text) {
    if (present) {
      bind(at, text);
    } else {
      insert_.bind_null(at);
    }
  }

  sqlite::Statement insert_;
};

std::optional<std::string> text_or_null(std::string text) { return text.empty() ? std::nullopt : std::optional(std::move(text)); }

std::string id_list(const std::vector<ObjectId>& ids) {
  std::string text;
  for (const ObjectId& id : ids) text += (text.empty() ? "" : " ") + id.hex();
  return text;
}

std::string date_text(std::int64_t time) {
  const std::time_t seconds = static_cast<std::time_t>(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string facts_text(const std::map<std::string, std::string>& facts) {
  Json json;
  for (const auto& [key, value] : facts) json.set(key, value);
  return json.serialize();
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t dimension : shape) text += (text.empty() ? "" : ",") + std::to_string(dimension);
  return "[" + text + "]";
}

void fill_commits(Inserter& into, const QuerySource& source) {
  std::vector<std::pair<std::string, ObjectId>> branches;
  for (const QueryRef& ref : source.refs) {
    if (ref.head.kind == RefKind::branch) branches.emplace_back(ref.name(), ref.head.new_commit);
  }
  const auto tasks = task_branches(source.catalog, branches);
  for (const CommitFacts* facts : source.commits) {
    const Commit& commit = facts->commit;
    const Verification& signature = facts->signature;
    const auto task = tasks.find(facts->id);
    const Metric* metric = headline_metric(*facts);
    into.row(facts->id, facts->is_task() ? "task" : "base", task == tasks.end() ? std::nullopt : std::optional(task->second), method_of(commit),
             facts->density, commit.base, facts->weights, text_or_null(id_list(commit.parents)), text_or_null(id_list(commit.derived_from)),
             commit.author, commit.time, date_text(commit.time), commit.subject(), commit.message, verdict_name(signature.verdict),
             text_or_null(signature.principal), signature.key ? std::optional(signature.key->fingerprint()) : std::nullopt,
             metric != nullptr ? std::optional(metric->name) : std::nullopt, metric != nullptr ? parse_number(metric->value) : std::nullopt,
             facts_text(commit.training), facts->sizes.stored(), facts->sizes.delta, facts->sizes.added, facts->sizes.files, facts->sizes.checkpoint);
  }
}

void fill_metrics(Inserter& into, const QuerySource& source) {
  for (const CommitFacts* facts : source.commits) {
    for (const Metric& metric : facts->commit.metrics) {
      into.row(facts->id, metric.split, metric.name, parse_number(metric.value), metric.value, metric.n, text_or_null(metric.data_sha256));
    }
  }
}

/// Those all of whose commits are reached.
void fill_evaluations(Inserter& into, const QuerySource& source) {
  std::set<ObjectId> reached;
  for (const CommitFacts* facts : source.commits) reached.insert(facts->id);
  for (const CheckedEvaluation& each : source.catalog.evaluations().all()) {
    const Evaluation& evaluation = each.evaluation;
    const bool shown = std::all_of(evaluation.commits.begin(), evaluation.commits.end(), [&](const ObjectId& id) { return reached.contains(id); });
    if (!shown) continue;
    for (const auto& [metric, value] : evaluation.metrics) {
      into.row(each.id, evaluation.commit, evaluation.revision, evaluation.split, metric, parse_number(value), value, evaluation.n, text_or_null(evaluation.data),
               evaluation.data_sha256, evaluation.evaluator, evaluation.time, date_text(evaluation.time), verdict_name(each.signature.verdict),
               text_or_null(each.signature.principal), facts_text(evaluation.environment));
    }
  }
}

void fill_deltas(Inserter& into, const QuerySource& source) {
  for (const CommitFacts* facts : source.commits) {
    if (!facts->is_task()) continue;
    const CommitTensors& tensors = source.catalog.tensors(facts->id);
    std::uint64_t counts[7] = {};  // by DeltaOp
    std::uint64_t renamed = 0;
    for (const TensorFact& fact : tensors.tensors) {
      ++counts[static_cast<std::size_t>(fact.op.value_or(DeltaOp::add))];
      renamed += !fact.base_name.empty();
    }
    const auto count = [&](DeltaOp op) { return counts[static_cast<std::size_t>(op)]; };
    const double share = tensors.base_units == 0 ? 0 : static_cast<double>(tensors.changed) / static_cast<double>(tensors.base_units);
    into.row(facts->id, *facts->commit.base, tensors.base_weights, tensors.result_weights, tensors.changed, tensors.base_units, share,
             count(DeltaOp::modify) + count(DeltaOp::convert) + count(DeltaOp::low_rank), count(DeltaOp::add), count(DeltaOp::remove), renamed,
             tensors.segments, facts->sizes.delta);
  }
}

void fill_tensors(Inserter& into, const QuerySource& source) {
  for (const CommitFacts* facts : source.commits) {
    for (const TensorFact& fact : source.catalog.tensors(facts->id).tensors) {
      const std::uint64_t bytes = tensor_bytes(fact.dtype, fact.shape, fact.name);
      into.row(facts->id, fact.name, text_or_null(fact.base_name), fact.op ? delta_op_name(*fact.op) : std::string_view("base"),
               dtype_info(fact.dtype).name, shape_text(fact.shape), element_count(fact.shape, fact.name), bytes, fact.changed, fact.tensor);
    }
  }
}

void fill_refs(Inserter& into, const QuerySource& source) {
  for (const QueryRef& ref : source.refs) {
    into.row(ref.name(), ref.head.kind == RefKind::tag ? "tag" : "branch", text_or_null(ref.remote), ref.head.new_commit, ref.head.sequence,
             ref.head.time);
  }
}

struct Row {
  QueryView view;
  void (*fill)(Inserter&, const QuerySource&);
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {{"commits", "every commit that a branch or tag reaches, also those of remotes as last fetched",
        {{"id", "TEXT", "64 hex digits"},
         {"kind", "TEXT", "'base' or 'task'"},
         {"task", "TEXT", "the task branch that it belongs to (the first by name), NULL for a base"},
         {"method", "TEXT", "'diff-pruning', ...; 'base'; 'folder'"},
         {"density", "REAL", "share of the base's weights that a task changes, NULL for a base"},
         {"base", "TEXT", "id of a task's base commit"},
         {"weights", "TEXT", "id of the resulting weights"},
         {"parents", "TEXT", "ids, separated by spaces; NULL if there are none"},
         {"derived_from", "TEXT", "ids, separated by spaces; NULL if there are none"},
         {"author", "TEXT", "as the commit says"},
         {"time", "INTEGER", "seconds since 1970"},
         {"date", "TEXT", "the same as 'YYYY-MM-DD HH:MM:SS', UTC"},
         {"subject", "TEXT", "first line of the message"},
         {"message", "TEXT", "all of it"},
         {"verdict", "TEXT", "of the signature: 'good', 'untrusted key', 'revoked key', 'bad', 'unsigned'"},
         {"signer", "TEXT", "principal of a good signature"},
         {"fingerprint", "TEXT", "of the signing key: 'SHA256:...'"},
         {"metric", "TEXT", "name of the metric that lists show: the first on test, else on dev, else the first"},
         {"value", "REAL", "of that metric"},
         {"training", "TEXT", "JSON object of the training's facts: training->>'seed'"},
         {"stored_bytes", "INTEGER", "what it takes in the store; of a task, beyond its base"},
         {"delta_bytes", "INTEGER", "of these, differences"},
         {"added_bytes", "INTEGER", "of these, tensors stored whole"},
         {"files_bytes", "INTEGER", "of these, side files and headers"},
         {"checkpoint_bytes", "INTEGER", "size of its files when checked out"}}},
       fill_commits},
      {{"deltas", "one row for each task commit",
        {{"commit_id", "TEXT", "the task"},
         {"base_id", "TEXT", "commit of its base"},
         {"base_weights", "TEXT", "id of the weights that it applies to"},
         {"result_weights", "TEXT", "id of the weights that it gives"},
         {"changed", "INTEGER", "weights that differ, counted in the segments"},
         {"total", "INTEGER", "weights in the base"},
         {"share", "REAL", "changed / total"},
         {"modified", "INTEGER", "tensors with changed values"},
         {"added", "INTEGER", "tensors stored whole"},
         {"removed", "INTEGER", "tensors of the base that are left out"},
         {"renamed", "INTEGER", "tensors that have another name in the base"},
         {"segments", "INTEGER", "objects that hold the differences"},
         {"bytes", "INTEGER", "of the differences as stored"}}},
       fill_deltas},
      {{"tensors", "every tensor of a base; of a task, those that its delta mentions",
        {{"commit_id", "TEXT", "the base or task"},
         {"name", "TEXT", "of the tensor"},
         {"base_name", "TEXT", "its name in the base, where that is another one"},
         {"op", "TEXT", "'base'; of a task 'modify', 'convert', 'low_rank', 'add', 'remove', 'rename'"},
         {"dtype", "TEXT", "as in safetensors: 'F32', 'BF16', ..."},
         {"shape", "TEXT", "JSON: '[30522,384]'"},
         {"elements", "INTEGER", "product of the shape"},
         {"bytes", "INTEGER", "of the tensor, uncompressed"},
         {"changed", "INTEGER", "weights that the task changes in it"},
         {"tensor_id", "TEXT", "id of the result; NULL for 'remove' and 'rename'"}}},
       fill_tensors},
      {{"metrics", "every metric of every commit",
        {{"commit_id", "TEXT", "whose it is"},
         {"split", "TEXT", "'test', 'dev', ..."},
         {"name", "TEXT", "'accuracy', ..."},
         {"value", "REAL", "NULL if it is no number"},
         {"text", "TEXT", "the value as recorded"},
         {"n", "INTEGER", "examples"},
         {"data_sha256", "TEXT", "digest of the data"}}},
       fill_metrics},
      {{"evaluations", "every number that `dstore eval --record` recorded, of commits that are all in the view commits",
        {{"id", "TEXT", "of the evaluation; it has a row for each metric"},
         {"commit_id", "TEXT", "whose model it measured; NULL for one that is computed from several commits"},
         {"revision", "TEXT", "what was measured, with the ids of its commits"},
         {"split", "TEXT", "'test', 'dev', ..."},
         {"name", "TEXT", "'accuracy', ..."},
         {"value", "REAL", "the number"},
         {"text", "TEXT", "the value as recorded"},
         {"n", "INTEGER", "examples"},
         {"data", "TEXT", "what the file was called"},
         {"data_sha256", "TEXT", "digest of the data"},
         {"evaluator", "TEXT", "as the evaluation says"},
         {"time", "INTEGER", "seconds since 1970"},
         {"date", "TEXT", "the same as 'YYYY-MM-DD HH:MM:SS', UTC"},
         {"verdict", "TEXT", "of the signature, as in commits"},
         {"signer", "TEXT", "principal of a good signature"},
         {"environment", "TEXT", "JSON object of what it was measured with: environment->>'device'"}}},
       fill_evaluations},
      {{"refs", "branches and tags, also those of remotes as last fetched",
        {{"name", "TEXT", "'base', 'origin/base'"},
         {"kind", "TEXT", "'branch' or 'tag'"},
         {"remote", "TEXT", "whose it is; NULL: of this repository"},
         {"commit_id", "TEXT", "the commit that it names"},
         {"moves", "INTEGER", "how often it was moved: the number of its last entry"},
         {"time", "INTEGER", "of the last move, seconds since 1970"}}},
       fill_refs},
  };
  return all;
}

}  // namespace

const std::vector<QueryView>& query_views() {
  static const std::vector<QueryView> views = [] {
    std::vector<QueryView> out;
    for (const Row& row : rows()) out.push_back(row.view);
    return out;
  }();
  return views;
}

void make_view(sqlite3* db, const QueryView& view) {
  std::string sql = std::string("CREATE TABLE ") + view.name + "(";
  for (const QueryColumn& column : view.columns) {
    sql += std::string(&column == &view.columns.front() ? "" : ", ") + column.name + " " + column.type;
  }
  sqlite::Statement(db, sql + ")").run();
}

void fill_view(sqlite3* db, const QueryView& view, const QuerySource& source) {
  for (const Row& row : rows()) {
    if (std::string_view(row.view.name) != view.name) continue;
    Inserter into(db, view);
    row.fill(into, source);
  }
}

}  // namespace dstore
