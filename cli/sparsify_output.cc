#include "sparsify_output.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "commit_view.h"
#include "number_text.h"
#include "output.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kWorstTensors = 3;
constexpr std::size_t kWholeTensors = 6;

double threshold(const KeptShare& share) { return share.kept == 0 ? std::nan("") : score_of_rank(share.least_rank); }

ordered_json number_or_null(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(); }

ordered_json share_json(const KeptShare& share) {
  const double least = threshold(share);
  return {{"changed", share.changed}, {"kept", share.kept}, {"unscored", share.unscored},
          {"threshold", number_or_null(least)}, {"energy_lost", number_or_null(share.energy_lost())}};
}

void print_sparsify_json(const SparsifyOptions& options, const SparsifyReport& report, const SparsifyOutcome& outcome) {
  ordered_json out{{"commit", report.commit.hex()}, {"branch", outcome.branch}, {"unchanged", report.unchanged}, {"source", report.source.hex()},
                   {"base", report.base.hex()}, {"density", options.density}, {"scope", scope_name(options.scope)}, {"by", options.score->name},
                   {"elements", report.elements}, {"places", report.places}};
  out.update(share_json(report.all));
  out["tensors"] = ordered_json::array();
  for (const SparsifyReport::Tensor& tensor : report.tensors) {
    ordered_json row{{"name", tensor.name}, {"elements", tensor.units}};
    row.update(share_json(tensor.share));
    out["tensors"].push_back(std::move(row));
  }
  out["whole"] = ordered_json::array();
  for (const ChangeRanks::Whole& tensor : report.whole) out["whole"].push_back({{"name", tensor.name}, {"reason", tensor.reason}});
  out["full_bytes"] = report.full_bytes;
  out["source_stored_bytes"] = outcome.stored_before;
  out["stored_bytes"] = outcome.stored_after;
  print_pretty(out);
}

/// "all 12 changed weights (of 40 that may be kept)" or "exactly 40 of 1,200 changed weights".
std::string kept_text(const SparsifyReport& report) {
  const KeptShare& all = report.all;
  if (all.kept < all.changed) return "exactly " + grouped(all.kept) + " of " + grouped(all.changed) + " changed weights";
  return "all " + grouped(all.changed) + " changed weights (the density leaves room for " + grouped(report.places) + ")";
}

std::string score_line(const SparsifyOptions& options, const SparsifyReport& report) {
  double least = std::nan(""), most = std::nan("");
  for (const SparsifyReport::Tensor& tensor : report.tensors) {
    const double at = threshold(tensor.share);
    if (std::isnan(at)) continue;
    least = std::isnan(least) ? at : std::min(least, at);
    most = std::isnan(most) ? at : std::max(most, at);
  }
  std::string line = "score " + std::string(options.score->name) + ", scope " + std::string(scope_name(options.scope));
  if (std::isnan(least)) return line;
  const bool range = options.scope == SparsifyScope::tensor && least < most;
  return line + ": kept from " + number_text(least) + (range ? " (to " + number_text(most) + " in other tensors)" : "") + " upwards";
}

std::string loss_line(const SparsifyReport& report) {
  if (!std::isfinite(report.all.energy_lost())) return "the change's energy is too large for a number";
  std::vector<const SparsifyReport::Tensor*> worst;
  for (const SparsifyReport::Tensor& tensor : report.tensors) {
    if (tensor.share.energy_lost() > 0) worst.push_back(&tensor);
  }
  std::stable_sort(worst.begin(), worst.end(), [](const auto* a, const auto* b) { return a->share.energy_lost() > b->share.energy_lost(); });
  std::string line = "lost " + share_text(report.all.energy_lost()) + " of the change's energy";
  for (std::size_t i = 0; i < std::min(worst.size(), kWorstTensors); ++i) {
    line += (i == 0 ? "; most in " : ", ") + printable(worst[i]->name) + " (" + share_text(worst[i]->share.energy_lost()) + ")";
  }
  return line;
}

std::string whole_line(const SparsifyReport& report) {
  std::string line = "kept whole: ";
  for (std::size_t i = 0; i < std::min(report.whole.size(), kWholeTensors); ++i) {
    line += (i == 0 ? "" : ", ") + printable(report.whole[i].name) + " (" + report.whole[i].reason + ")";
  }
  return line + (report.whole.size() > kWholeTensors ? " and " + grouped(report.whole.size() - kWholeTensors) + " more" : "");
}

}  // namespace

void print_sparsify(const Session& session, const SparsifyOptions& options, const SparsifyReport& report, const SparsifyOutcome& outcome) {
  if (session.json) return print_sparsify_json(options, report, outcome);
  if (report.unchanged) {
    session.say(outcome.branch + " keeps " + kept_text(report) + ": nothing to drop, nothing was committed");
    return;
  }
  const double share = report.elements == 0 ? 0 : static_cast<double>(report.all.kept) / static_cast<double>(report.elements);
  session.say("[" + outcome.branch + " " + report.commit.short_hex() + "] " + kept_text(report) + " kept: " + share_text(share) + " of " +
              grouped(report.elements));
  session.say(score_line(options, report));
  session.say(loss_line(report));
  if (report.all.unscored > 0) {
    session.say(grouped(report.all.unscored) + " changed weights are NaN or infinite, or were: these come before all others" +
                (report.all.unscored > report.all.kept ? ", yet not all have a place" : ""));
  }
  if (!report.whole.empty()) session.say(whole_line(report));
  const std::string ratio = ratio_text(outcome.stored_before, outcome.stored_after);
  session.say(human_size(outcome.stored_before) + " → " + human_size(outcome.stored_after) + " stored" + (ratio.empty() ? "" : ", " + ratio));
}

}  // namespace dstore::cli
