#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_view.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "number_text.h"
#include "output.h"
#include "repo/stored_weights.h"
#include "stats_json.h"
#include "stats_text.h"
#include "tensor/dtype.h"
#include "tensor_listing.h"

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

std::string shape_text(const TensorInfo& info) {
  std::string text = std::string(dtype_info(info.dtype).name) + " [";
  for (std::size_t i = 0; i < info.shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(info.shape[i]);
  return text + "]";
}

std::string detail(const TensorDiff& tensor, bool in_prefix) {
  if (tensor.state == State::added) return shape_text(*tensor.after);
  if (tensor.state == State::removed) return shape_text(*tensor.before);
  if (tensor.state == State::dtype || tensor.state == State::shape) return shape_text(*tensor.before) + " → " + shape_text(*tensor.after);
  return tensor.base_name == tensor.name || in_prefix ? "" : "was " + printable(tensor.base_name);
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
    std::string note = detail(tensor, prefix_only);
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

ordered_json info_json(const TensorInfo* info) {
  return info == nullptr ? ordered_json() : ordered_json{{"dtype", dtype_info(info->dtype).name}, {"shape", info->shape}};
}

ordered_json tensor_json(const TensorDiff& tensor) {
  ordered_json out{{"name", tensor.name}, {"base_name", tensor.base_name.empty() ? ordered_json() : ordered_json(tensor.base_name)},
                   {"state", state_name(tensor.state)}, {"before", info_json(tensor.before)}, {"after", info_json(tensor.after)}};
  out.update(difference_json(tensor.stats));
  return out;
}

/// --tensor with --json: the tensor as in the list below, with "rows" (compared, where their numbers differ; else null) and
/// "differences": [{index, position[], before, after, difference, ulps}], the largest first.
void print_listing_json(const TensorDiff& tensor, const TensorListing& listing) {
  ordered_json out = tensor_json(tensor);
  out["rows"] = listing.rows > 0 ? ordered_json(listing.rows) : ordered_json();
  out["differences"] = ordered_json::array();
  for (const ElementDiff& element : listing.elements) {
    out["differences"].push_back({{"index", element.index}, {"position", position_of(*tensor.after, element.index)}, {"before", element.before}, {"after", element.after},
                                  {"difference", element.difference ? ordered_json(*element.difference) : ordered_json()}, {"ulps", element.ulps}});
  }
  print_pretty(out);
}

/// "stored as factors of rank 8 and 12 weights apart": where a task's tensor is made from them.
std::string factors_text(const TensorSource& source, const std::string& name) {
  const auto* stored = dynamic_cast<const StoredWeights*>(&source);
  const auto index = source.find(name);
  if (stored == nullptr || !index || stored->factors(*index) == nullptr) return "";
  std::uint64_t apart = 0;
  stored->for_each_piece(*index, [&](const SegmentReader& reader, std::size_t piece) { apart += reader.pieces()[piece].changed; });
  const TensorInfo& factor = stored->factors(*index)->tensors()[stored->derived(*index)->factors.a];
  return "stored as factors of rank " + grouped(factor.shape.front()) + (apart > 0 ? " and " + grouped(apart) + " weights apart" : "");
}

std::string listing_text(const TensorDiff& tensor, const TensorListing& listing) {
  const DifferenceStats& stats = listing.stats;
  std::string text = grouped(stats.changed) + " of " + grouped(stats.units) + " elements differ (" + share_text(stats.density()) + ")";
  if (listing.rows > 0) text += " in the " + grouped(listing.rows) + " rows that both have";
  if (stats.numeric && stats.changed > stats.non_finite) text += ", L2 " + number_text(stats.l2()) + ", max |d| " + number_text(stats.max_abs);
  text += "\n";
  if (stats.changed == 0) return text;
  if (!listing.elements.empty()) {
    Table table({">index", ">old", ">new", ">difference", ">ulps"});
    for (const ElementDiff& element : listing.elements) {
      table.add({position_text(*tensor.after, element.index), element.before, element.after, element.difference_text(), element.ulps > 0 ? grouped(element.ulps) : ""});
    }
    text += "\n" + table.text("  ");
  }
  if (listing.elements.size() < stats.changed) text += "  and " + grouped(stats.changed - listing.elements.size()) + " smaller ones (-n N lists N)\n";
  const std::string ulps = ulp_text(stats);
  return text + (ulps.empty() ? "" : "\n" + ulps);
}

int print_tensor(const Session& session, const Model& a, const Model& b, const std::string& name, std::uint64_t limit) {
  const TensorsDiff diff = pair_tensors(a.tensors(), b.tensors());
  TensorDiff tensor = find_tensor(diff, name);
  TensorListing listing;
  if (is_listable(tensor)) {
    const Progress progress = session.progress("comparing");
    listing = list_changes(a.tensors(), b.tensors(), tensor, limit, progress);
    tensor.stats = listing.stats;
    if (listing.rows == 0 && listing.stats.changed > 0) tensor.state = State::changed;
  }
  const int status = tensor.state == State::same ? kSuccess : kFindings;
  if (session.json) {
    print_listing_json(tensor, listing);
    return status;
  }
  std::string line = printable(tensor.name) + ": " + (tensor.state == State::dtype || tensor.state == State::shape ? "of another " : "") + state_name(tensor.state);
  const bool alike = tensor.before != nullptr && tensor.after != nullptr && tensor.state != State::dtype && tensor.state != State::shape;
  if (alike) line += ", " + shape_text(*tensor.after);
  if (const std::string more = detail(tensor, false); !more.empty()) line += ", " + more;
  if (const std::string factors = tensor.after != nullptr ? factors_text(b.tensors(), tensor.name) : ""; !factors.empty()) line += ", " + factors;
  if (is_listable(tensor)) {
    line += "\n" + listing_text(tensor, listing);
    line.pop_back();
  } else if (tensor.before != nullptr && tensor.after != nullptr) {
    line += "\nits elements are not compared: they do not stand for each other";
  }
  session.say(line);
  return status;
}

/// --json: {equal, elements, changed, l2, max_abs, prefix, prefix_removed, tensors[those that are not the same], files[{path, state}]}.
void print_all(const Session& session, const TensorsDiff& diff, const std::vector<FileDiff>& files, bool equal) {
  if (session.json) {
    ordered_json out{{"equal", equal}, {"elements", diff.total.units}, {"changed", diff.total.changed}, {"l2", diff.total.l2()},
                     {"max_abs", diff.total.max_abs}, {"prefix", diff.prefix}, {"prefix_removed", diff.prefix_in_base}};
    out["tensors"] = ordered_json::array();
    for (const TensorDiff& tensor : diff.tensors) {
      if (tensor.state != State::same) out["tensors"].push_back(tensor_json(tensor));
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
