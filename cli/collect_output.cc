#include "collect_output.h"

#include "base/json.h"
#include "dstore/error.h"
#include "output.h"

namespace dstore::cli {
namespace {

std::string count_of(std::uint64_t number, std::string word) {
  if (number != 1) word += word.ends_with("s") ? "" : "s";
  return grouped(number) + " " + word;
}

Json as_json(const CollectReport& report, bool dry_run) {
  Json removed;
  for (const auto& [kind, amount] : report.removed) {
    Json row;
    row.set("objects", static_cast<std::int64_t>(amount.objects));
    row.set("bytes", static_cast<std::int64_t>(amount.bytes));
    removed.set(kind_name(kind), std::move(row));
  }
  Json::Array waiting, left_alone;
  for (const LeaseInfo& lease : report.waiting) waiting.emplace_back(lease.holder);
  for (const std::string& reason : report.left_alone) left_alone.emplace_back(printable(reason));
  Json json;
  json.set("dry_run", dry_run ? 1 : 0);
  json.set("removed", std::move(removed));
  json.set("packs_deleted", static_cast<std::int64_t>(report.packs_deleted.size()));
  json.set("packs_written", static_cast<std::int64_t>(report.packs_written.size()));
  json.set("bytes_before", static_cast<std::int64_t>(report.bytes_before));
  json.set("bytes_after", static_cast<std::int64_t>(report.bytes_after));
  json.set("leftovers", static_cast<std::int64_t>(report.leftovers));
  json.set("links_removed", static_cast<std::int64_t>(report.links_removed));
  json.set("waiting", Json(std::move(waiting)));
  json.set("left_alone", Json(std::move(left_alone)));
  return json;
}

}  // namespace

std::string removed_text(const CollectReport& report) {
  std::uint64_t objects = 0, bytes = 0;
  std::string kinds;
  for (const auto& [kind, amount] : report.removed) {
    if (amount.objects == 0) continue;
    objects += amount.objects;
    bytes += amount.bytes;
    kinds += (kinds.empty() ? "" : ", ") + count_of(amount.objects, std::string(kind_name(kind)));
  }
  return objects == 0 ? std::string() : count_of(objects, "object") + ", " + human_size(bytes) + ": " + kinds;
}

void print_collection(const Session& session, const CollectReport& report, bool dry_run) {
  if (session.json) {
    print_json(as_json(report, dry_run).serialize());
    return;
  }
  for (const std::string& reason : report.left_alone) session.note("note: left alone: " + printable(reason));
  if (report.leftovers > 0) session.say("removed " + count_of(report.leftovers, "temporary file") + " of processes that are gone");
  if (report.links_removed > 0) session.say("removed " + count_of(report.links_removed, "link") + " to files outside, which stay");
  if (!report.waiting.empty()) {
    session.say("nothing was deleted: " + report.waiting.front().holder + " began to write before; the next gc goes on when it is done");
    return;
  }
  const std::string removed = removed_text(report);
  if (!removed.empty()) session.say((dry_run ? "would remove " : "removed ") + removed);
  if (report.packs_deleted.empty()) {
    session.say("nothing to do: " + human_size(report.bytes_after) + " in packs");
    return;
  }
  session.say(count_of(report.packs_deleted.size(), "pack") + (dry_run ? " would go" : " deleted, " + grouped(report.packs_written.size()) + " written") + ": " +
              human_size(report.bytes_before) + " → " + human_size(report.bytes_after));
}

CollectOptions collect_options(const Arguments& arguments, const Session& session) {
  CollectOptions options;
  if (const auto seconds = arguments.number("wait")) options.wait_seconds = static_cast<unsigned>(std::min<std::uint64_t>(*seconds, 1u << 30));
  options.notice = [&session](const std::string& line) { session.note(line); };
  options.progress = session.progress("copying");
  return options;
}

}  // namespace dstore::cli
