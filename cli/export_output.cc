#include "export_output.h"

#include <algorithm>
#include <map>

#include "base/decimal.h"
#include "base/json.h"
#include "output.h"

namespace dstore::cli {
namespace {

constexpr std::size_t kWorst = 5;  ///< tensors that are listed

void print_report(const ExportReport& report, std::string_view format, const std::string& target) {
  Json json;
  json.set("format", format);
  json.set("path", target);
  json.set("files", static_cast<std::int64_t>(report.files));
  json.set("bytes", static_cast<std::int64_t>(report.bytes));
  if (report.rank > 0) json.set("rank", static_cast<std::int64_t>(report.rank));
  json.set("lost", shortest_decimal(report.lost()));
  Json::Array tensors, whole;
  for (const ExportedTensor& tensor : report.tensors) {
    Json row;
    row.set("name", tensor.name);
    row.set("energy", shortest_decimal(tensor.energy));
    row.set("lost", shortest_decimal(tensor.lost()));
    row.set("changed", static_cast<std::int64_t>(tensor.changed));
    row.set("inexact", static_cast<std::int64_t>(tensor.inexact));
    if (!tensor.left_out.empty()) row.set("left_out", tensor.left_out);
    tensors.push_back(std::move(row));
  }
  for (const std::string& name : report.whole) whole.emplace_back(name);
  json.set("tensors", Json(std::move(tensors)));
  json.set("whole", Json(std::move(whole)));
  print_json(json.serialize());
}

void say_losses(const Session& session, const ExportReport& report) {
  std::vector<const ExportedTensor*> worst;
  std::uint64_t changed = 0, inexact = 0;
  for (const ExportedTensor& tensor : report.tensors) {
    changed += tensor.changed;
    inexact += tensor.inexact;
    if (tensor.left_out.empty() && tensor.lost() > 0) worst.push_back(&tensor);
  }
  if (inexact > 0) {
    session.say(grouped(inexact) + " of " + grouped(changed) +
                " changed elements come back with another last bit: PEFT adds differences, and no F32 difference gives them");
  }
  std::stable_sort(worst.begin(), worst.end(), [](const auto* a, const auto* b) { return a->energy - a->kept > b->energy - b->kept; });
  for (std::size_t i = 0; i < std::min(kWorst, worst.size()); ++i) session.say("  " + percent(worst[i]->lost()) + " lost in " + printable(worst[i]->name));
  if (worst.size() > kWorst) session.say("  less in " + grouped(worst.size() - kWorst) + " more (--json lists all)");
}

/// One line for each reason.
void note_left_out(const Session& session, const ExportReport& report) {
  std::map<std::string, std::vector<std::string>> names;
  for (const ExportedTensor& tensor : report.tensors) {
    if (!tensor.left_out.empty()) names[tensor.left_out].push_back(printable(tensor.name));
  }
  for (const auto& [reason, tensors] : names) {
    std::string line = "note: left out " + tensors.front();
    if (tensors.size() > 1) line += " and " + grouped(tensors.size() - 1) + " more (--json lists all)";
    session.note(line + ": " + reason);
  }
}

}  // namespace

void print_export(const Session& session, const ExportReport& report, std::string_view format, const std::string& revision, const std::string& target) {
  if (session.json) return print_report(report, format, target);
  std::string line = printable(target) + ": " + printable(revision) + " as " + std::string(format) + ", " + human_size(report.bytes);
  if (report.rank > 0) line += ", rank " + std::to_string(report.rank);
  if (!report.tensors.empty()) line += ", " + grouped(report.tensors.size()) + " tensors changed";
  session.say(line);
  if (!report.tensors.empty() && format != "sparse-safetensors") session.say("energy of the difference that is lost: " + percent(report.lost()));
  say_losses(session, report);
  note_left_out(session, report);
}

}  // namespace dstore::cli
