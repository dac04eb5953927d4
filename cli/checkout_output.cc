#include "checkout_output.h"

#include "output.h"
#include "three_way_output.h"

namespace dstore::cli {

std::string signature_line(const Session& session, const CheckedCommit& commit) {
  const std::string id = commit.id.short_hex();
  if (commit.signature.verdict == Verdict::unsigned_) return session.paint("33", "commit " + id + " is unsigned");
  return "commit " + id + ": " + session.paint("32", printable(commit.signature.reason));
}

Json signatures_json(const std::vector<CheckedCommit>& commits) {
  Json::Array rows;
  for (const CheckedCommit& commit : commits) {
    Json row;
    row.set("id", commit.id.hex());
    row.set("signature", verdict_name(commit.signature.verdict));
    row.set("principal", commit.signature.principal);
    rows.push_back(std::move(row));
  }
  return Json(std::move(rows));
}

void print_change(const Session& session, const std::string& folder, const ApplyReport& report) {
  const ChangeReport& change = report.change;
  if (session.json) {
    Json json;
    json.set("folder", folder);
    json.set("before", report.before);
    json.set("after", report.after);
    json.set("weights", report.weights.hex());
    json.set("changed_bytes", static_cast<std::int64_t>(change.changed));
    json.set("patched", static_cast<std::int64_t>(change.patched));
    json.set("written", static_cast<std::int64_t>(change.written));
    json.set("written_bytes", static_cast<std::int64_t>(change.written_bytes));
    json.set("removed", static_cast<std::int64_t>(change.removed));
    json.set("kept", static_cast<std::int64_t>(change.kept));
    json.set("undo_bytes", static_cast<std::int64_t>(change.undo_bytes));
    json.set("commits", signatures_json(report.commits));
    print_json(json.serialize());
    return;
  }
  for (const CheckedCommit& commit : report.commits) session.say(signature_line(session, commit));
  std::string line = printable(folder) + ": " + printable(report.before) + " → " + printable(report.after) + ", " + human_size(change.changed) + " changed in " +
                     std::to_string(change.patched) + (change.patched == 1 ? " file" : " files");
  if (change.written > 0) line += ", " + std::to_string(change.written) + " written (" + human_size(change.written_bytes) + ")";
  if (change.removed > 0) line += ", " + std::to_string(change.removed) + " removed";
  session.say(line);
  session.say("`dstore unapply` takes it back (" + human_size(change.undo_bytes) + " kept for that)");
}

void print_written(const Session& session, const std::string& folder, const std::string& revision, const CheckoutReport& report) {
  if (session.json) {
    Json json;
    json.set("folder", folder);
    json.set("weights", report.weights.is_none() ? std::string() : report.weights.hex());
    if (report.overlap) {
      json.set("changed", static_cast<std::int64_t>(report.overlap->changed));
      json.set("shared", static_cast<std::int64_t>(report.overlap->shared));
    }
    json.set("written", static_cast<std::int64_t>(report.written));
    json.set("kept", static_cast<std::int64_t>(report.kept));
    json.set("removed", static_cast<std::int64_t>(report.removed));
    json.set("bytes", static_cast<std::int64_t>(report.bytes));
    json.set("commits", signatures_json(report.commits));
    print_json(json.serialize());
    return;
  }
  for (const CheckedCommit& commit : report.commits) session.say(signature_line(session, commit));
  std::string line = printable(folder) + ": " + printable(revision) + ", " + std::to_string(report.written) + " files written (" + human_size(report.bytes) + ")";
  if (report.in_place) line += ", " + std::to_string(report.kept) + " kept";
  if (report.removed > 0) line += ", " + std::to_string(report.removed) + " removed";
  session.say(line);
  if (report.overlap) session.say(overlap_text(*report.overlap));
  session.say(report.weights.is_none() ? "verified: the " + std::to_string(report.commits.size()) + " commits that it is computed from"
                                       : "verified: weights " + report.weights.hex());
}

}  // namespace dstore::cli
