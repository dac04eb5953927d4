#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "number_text.h"
#include "output.h"
#include "tensor_diff_output.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;
using State = TensorDiff::State;

constexpr std::uint64_t kListed = 20;  ///< elements of one tensor, without -n
constexpr std::size_t kNumbersWidth = 50;  ///< of the table, beside the name

/// A revision, or a folder relative to -C DIR.
std::unique_ptr<Model> open_side(const Session& session, const std::string& what, const std::string& base_from) {
  const bool is_path = what == "." || what == ".." || what.starts_with("./") || what.starts_with("../") || what.ends_with("/");
  std::string path = session.path(what);
  if (!path.starts_with("/") && !path.starts_with("./") && !path.starts_with("../")) path = "./" + path;
  if (is_path) return open_model(path, session.directory);
  try {
    return open_model(what, session.directory, base_from);
  } catch (const Error& error) {
    const auto info = session.fs().stat(path, true);
    if (error.code() != ErrorCode::not_found || !info || info->type != FileInfo::Type::directory) throw;
    return open_model(path, session.directory);
  }
}

/// Whether the new name is the old one with the prefix that all have: not worth a line.
bool explained_by_prefix(const TensorsDiff& diff, const TensorDiff& tensor) {
  if (diff.prefix.empty() || tensor.base_name.empty()) return false;
  return diff.prefix_in_base ? tensor.base_name == diff.prefix + tensor.name : tensor.name == diff.prefix + tensor.base_name;
}

std::string tensor_table(const TensorsDiff& diff) {
  // On a terminal names give way, at their front: the end tells tensors apart.
  const std::size_t name_width = ::isatty(STDOUT_FILENO) != 0 ? std::max(terminal_width(), kNumbersWidth + 24) - kNumbersWidth : std::string::npos;
  Table table({"tensor", "state", ">changed", ">density", ">L2", ">max |d|", ""});
  bool any = false;
  for (const TensorDiff& tensor : diff.tensors) {
    const bool prefix_only = explained_by_prefix(diff, tensor);
    if (tensor.state == State::same || (tensor.state == State::renamed && prefix_only)) continue;
    any = true;
    const bool counted = tensor.state == State::changed;
    const bool numeric = counted && tensor.stats.numeric;
    std::string note = detail_text(tensor, prefix_only);
    if (tensor.stats.non_finite > 0) note += (note.empty() ? "" : ", ") + grouped(tensor.stats.non_finite) + " not finite";
    table.add({shorten_front(printable(tensor.name), name_width), state_name(tensor.state), counted ? grouped(tensor.stats.changed) : "",
               counted ? share_text(tensor.stats.density()) : "", numeric ? number_text(tensor.stats.l2()) : "",
               numeric ? number_text(tensor.stats.max_abs) : "", note});
  }
  return any ? table.text() : "";
}

std::string summary(const TensorsDiff& diff, const std::vector<FileDiff>& files) {
  std::string text;
  for (const State state : {State::changed, State::added, State::removed, State::renamed, State::dtype, State::shape}) {
    const std::size_t count = diff.count(state);
    if (count == 0) continue;
    const bool retyped = state == State::dtype || state == State::shape;
    text += (text.empty() ? "" : ", ") + grouped(count) + (retyped ? " of another " : " ") + state_name(state);
  }
  text = text.empty() ? "tensors equal" : "tensors: " + text + ", " + grouped(diff.count(State::same)) + " equal";
  if (!diff.prefix.empty()) text += "; names aligned: \"" + printable(diff.prefix) + "\" " + (diff.prefix_in_base ? "removed" : "added");
  if (diff.total.changed > 0) {
    text += "\nweights: " + grouped(diff.total.changed) + " of " + grouped(diff.total.units) + " differ (" + share_text(diff.total.density()) +
            "), L2 " + number_text(diff.total.l2()) + ", max |d| " + number_text(diff.total.max_abs);
  }
  return text + "\nside files: " + (files.empty() ? "equal" : grouped(files.size()) + " differ");
}

/// --json: {equal, elements, changed, l2, max_abs, prefix, prefix_removed, tensors[those that are not the same], files[{path, state}]}.
void print_all(const Session& session, const TensorsDiff& diff, const std::vector<FileDiff>& files, bool equal) {
  if (session.json) {
    ordered_json out{{"equal", equal}, {"elements", diff.total.units}, {"changed", diff.total.changed}, {"l2", diff.total.l2()},
                     {"max_abs", diff.total.max_abs}, {"prefix", diff.prefix}, {"prefix_removed", diff.prefix_in_base}};
    out["tensors"] = ordered_json::array();
    for (const TensorDiff& tensor : diff.tensors) {
      if (tensor.state != State::same) out["tensors"].push_back(tensor_diff_json(tensor));
    }
    out["files"] = ordered_json::array();
    for (const FileDiff& file : files) out["files"].push_back({{"path", file.path}, {"state", file.state}});
    return print_pretty(out);
  }
  std::string text = tensor_table(diff);
  for (const FileDiff& file : files) text += "file " + printable(file.path) + ": " + file.state + "\n";
  session.say(text + summary(diff, files));
}

int run(const Arguments& arguments, Session& session) {
  const std::string base_from = session.path(arguments.get("base-from"));
  const auto a = open_side(session, arguments.get("a"), base_from);
  const auto b = open_side(session, arguments.get("b"), base_from);
  if (arguments.has("tensor")) return print_tensor(session, *a, *b, arguments.get("tensor"), arguments.number("lines").value_or(kListed));
  TensorsDiff diff;
  {
    const Progress progress = session.progress("comparing");
    diff = diff_tensors(a->tensors(), b->tensors(), progress);
  }
  const std::vector<FileDiff> files = diff_files(*a, *b);
  const bool equal = files.empty() && diff.count(State::same) == diff.tensors.size();
  print_all(session, diff, files, equal);
  return equal ? kSuccess : kFindings;
}

}  // namespace

Command diff_command() {
  return {"diff", "Look", "What differs between two revisions or folders; exit status 1 if anything does",
          "dstore diff base sst2 --tensor encoder.layer.0.output.dense.weight",
          {{"a", "A revision or a folder"}, {"b", "Another one; names are aligned, so a prefix such as \"bert.\" is no obstacle"}},
          {{"--tensor", "NAME", "This tensor alone: its largest changes, and how far its elements moved"},
           {"-n,--lines", "N", "With --tensor: at most N elements (default 20)"},
           {"--base-from", "FOLDER", "Read the base that is not in the store from this folder"}},
          run};
}

}  // namespace dstore::cli
