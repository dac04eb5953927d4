#include "tensor_diff_output.h"

#include <nlohmann/json.hpp>

#include "commit_view.h"
#include "exit_code.h"
#include "number_text.h"
#include "output.h"
#include "repo/stored_weights.h"
#include "stats_json.h"
#include "stats_text.h"
#include "tensor/dtype.h"
#include "tensor_listing.h"

namespace dstore::cli {

using nlohmann::ordered_json;

namespace {

using State = TensorDiff::State;

std::string shape_text(const TensorInfo& info) {
  std::string text = std::string(dtype_info(info.dtype).name) + " [";
  for (std::size_t i = 0; i < info.shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(info.shape[i]);
  return text + "]";
}

ordered_json info_json(const TensorInfo* info) {
  return info == nullptr ? ordered_json() : ordered_json{{"dtype", dtype_info(info->dtype).name}, {"shape", info->shape}};
}

/// --tensor with --json: the tensor as in the list below, with "rows" (compared, where their numbers differ; else null) and
/// "differences": [{index, position[], before, after, difference, ulps}], the largest first.
void print_listing_json(const TensorDiff& tensor, const TensorListing& listing) {
  ordered_json out = tensor_diff_json(tensor);
  out["rows"] = listing.rows > 0 ? ordered_json(listing.rows) : ordered_json();
  out["differences"] = ordered_json::array();
  for (const ElementDiff& element : listing.elements) {
    out["differences"].push_back({{"index", element.index}, {"position", position_of(*tensor.after, element.index)},
                                  {"before", element.before}, {"after", element.after},
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
      const std::string ulps = element.ulps > 0 ? grouped(element.ulps) : "";
      table.add({position_text(*tensor.after, element.index), element.before, element.after, element.difference_text(), ulps});
    }
    text += "\n" + table.text("  ");
  }
  if (listing.elements.size() < stats.changed) text += "  and " + grouped(stats.changed - listing.elements.size()) + " smaller ones (-n N lists N)\n";
  const std::string ulps = ulp_text(stats);
  return text + (ulps.empty() ? "" : "\n" + ulps);
}

}  // namespace

std::string detail_text(const TensorDiff& tensor, bool in_prefix) {
  if (tensor.state == State::added) return shape_text(*tensor.after);
  if (tensor.state == State::removed) return shape_text(*tensor.before);
  if (tensor.state == State::dtype || tensor.state == State::shape) return shape_text(*tensor.before) + " → " + shape_text(*tensor.after);
  return tensor.base_name == tensor.name || in_prefix ? "" : "was " + printable(tensor.base_name);
}

ordered_json tensor_diff_json(const TensorDiff& tensor) {
  ordered_json out{{"name", tensor.name}, {"base_name", tensor.base_name.empty() ? ordered_json() : ordered_json(tensor.base_name)},
                   {"state", state_name(tensor.state)}, {"before", info_json(tensor.before)}, {"after", info_json(tensor.after)}};
  out.update(difference_json(tensor.stats));
  return out;
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
  if (const std::string more = detail_text(tensor, false); !more.empty()) line += ", " + more;
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

}  // namespace dstore::cli
