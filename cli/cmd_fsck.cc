#include "repo/fsck.h"

#include "command.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "output.h"
#include "repo/repair.h"
#include "repo/transfer.h"

namespace dstore::cli {
namespace {

struct LevelRow {
  const char* option;
  FsckLevel level;
  const char* name;
};

constexpr LevelRow kLevels[] = {{"quick", FsckLevel::quick, "quick"}, {"", FsckLevel::standard, "standard"}, {"deep", FsckLevel::deep, "deep"}};

const LevelRow& chosen_level(const Arguments& arguments) {
  if (arguments.has("quick") && arguments.has("deep")) throw Error(ErrorCode::invalid_argument, "give --quick or --deep, not both");
  if (arguments.has("quick") && arguments.has("repair-from")) {
    throw Error(ErrorCode::invalid_argument, "--repair-from needs to know all damage: leave --quick out");
  }
  for (const LevelRow& row : kLevels) {
    if (*row.option != '\0' && arguments.has(row.option)) return row;
  }
  return kLevels[1];
}

/// The repository here, or the one that is named: a directory remote, too.
Repository open_chosen(Session& session, const Arguments& arguments) {
  return arguments.has("dir") ? open_remote(session.fs(), session.path(arguments.get("dir")), false) : session.open();
}

/// Deletes the caches before the repository is opened, which makes them anew.
Repository open_rebuilt(Session& session, const Arguments& arguments) {
  if (arguments.has("rebuild")) rebuild_caches(session.fs(), open_chosen(session, arguments).directory());
  return open_chosen(session, arguments);
}

Json texts(const std::vector<std::string>& lines) {
  Json::Array out;
  for (const std::string& line : lines) out.emplace_back(printable(line));
  return Json(std::move(out));
}

void print_json_report(const FsckReport& report, const RepairReport& repaired, const LevelRow& level) {
  Json::Array findings, absent;
  for (const Finding& finding : report.findings) {
    Json row;
    row.set("kind", finding.kind);
    row.set("message", printable(finding.message));
    findings.push_back(std::move(row));
  }
  for (const ObjectId& weights : report.missing.absent_bases) absent.emplace_back(weights.hex());
  Json json;
  json.set("level", level.name);
  json.set("findings", Json(std::move(findings)));
  json.set("notices", texts(report.notices));
  json.set("base_absent", Json(std::move(absent)));
  json.set("packs", static_cast<std::int64_t>(report.packs));
  json.set("packs_resumed", static_cast<std::int64_t>(report.resumed));
  json.set("links", static_cast<std::int64_t>(report.links));
  json.set("commits", static_cast<std::int64_t>(report.commits));
  json.set("unsigned", static_cast<std::int64_t>(report.unsigned_commits));
  json.set("evaluations", static_cast<std::int64_t>(report.evaluations));
  json.set("unsigned_evaluations", static_cast<std::int64_t>(report.unsigned_evaluations));
  json.set("files_resumed", static_cast<std::int64_t>(report.files_resumed));
  json.set("checkouts", static_cast<std::int64_t>(report.checkouts));
  Json repair;
  repair.set("objects", static_cast<std::int64_t>(repaired.objects));
  repair.set("bytes", static_cast<std::int64_t>(repaired.bytes));
  repair.set("ref_entries", static_cast<std::int64_t>(repaired.ref_entries));
  repair.set("quarantined", texts(repaired.quarantined));
  repair.set("left", texts(repaired.left));
  json.set("repair", std::move(repair));
  print_json(json.serialize());
}

std::string count_text(std::size_t count, const std::string& word) { return grouped(count) + " " + word + (count == 1 ? "" : "s"); }

void say_findings(const Session& session, const FsckReport& report) {
  for (const Finding& finding : report.findings) session.say(session.paint("31", printable(finding.message)));
}

void say_report(const Session& session, const FsckReport& report, const LevelRow& level) {
  say_findings(session, report);
  for (const std::string& notice : report.notices) session.say(session.paint("33", printable(notice)));
  std::string line = count_text(report.packs, "pack");
  if (report.resumed > 0) line += " (" + grouped(report.resumed) + " of them by the check that was interrupted)";
  if (report.links > 0) line += ", " + count_text(report.links, "linked file");
  if (level.level != FsckLevel::quick) line += ", " + count_text(report.commits, "commit");
  if (report.unsigned_commits > 0) line += " (" + grouped(report.unsigned_commits) + " unsigned)";
  if (report.evaluations > 0) line += ", " + count_text(report.evaluations, "evaluation");
  if (report.unsigned_evaluations > 0) line += " (" + grouped(report.unsigned_evaluations) + " unsigned)";
  if (level.level == FsckLevel::deep) line += ", " + count_text(report.checkouts, "checkout");
  if (report.files_resumed > 0) line += " (" + count_text(report.files_resumed, "file") + " of them by the check that was interrupted)";
  session.say(line + " checked: " + (report.findings.empty() ? session.paint("32", "no damage") : count_text(report.findings.size(), "problem")));
}

RepairReport repair_from(Session& session, Repository& repository, const FsckReport& report, const std::string& name) {
  const auto source = open_repair_source(repository, repository.config().remotes.count(name) > 0 ? name : session.path(name));
  RepairReport repaired;
  {
    const Progress progress = session.progress("repairing");
    repaired = repair(repository, report, *source, progress, [&](const std::string& line) { session.note("note: " + line); });
  }
  session.say("repaired from " + printable(name) + ": " + count_text(repaired.objects, "object") + " written, " + human_size(repaired.bytes) +
              (repaired.ref_entries > 0 ? ", and " + grouped(repaired.ref_entries) + (repaired.ref_entries == 1 ? " entry" : " entries") + " of refs" : ""));
  for (const std::string& path : repaired.quarantined) session.say("moved aside: " + printable(path));
  for (const std::string& line : repaired.left) session.say(session.paint("31", printable(line)));
  return repaired;
}

/// Damage outweighs doubts about signatures.
int status_of(const FsckReport& report) {
  if (report.findings.empty()) return 0;
  for (const Finding& finding : report.findings) {
    if (finding.kind != "signature") return exit_code(ErrorCode::corrupt);
  }
  return exit_code(ErrorCode::untrusted);
}

int run(const Arguments& arguments, Session& session) {
  const LevelRow& level = chosen_level(arguments);
  Repository repository = open_rebuilt(session, arguments);
  FsckOptions options;
  options.level = level.level;
  options.progress = [&](const std::string& label) { return session.progress(label); };
  options.notice = [&](const std::string& line) { session.note("note: " + line); };
  FsckReport report = fsck(repository, options);
  options.notice = {};
  RepairReport repaired;
  if (arguments.has("repair-from") && !report.findings.empty()) {
    say_findings(session, report);
    repaired = repair_from(session, repository, report, arguments.get("repair-from"));
    options.known_good = std::move(report.good_packs);
    report = fsck(repository, options);
  }
  if (session.json) {
    print_json_report(report, repaired, level);
  } else {
    say_report(session, report, level);
  }
  return status_of(report);
}

}  // namespace

Command fsck_command() {
  return {"fsck", "Look", "Check the whole repository, and repair it from another copy", "dstore fsck --repair-from origin",
          {{"dir", "A repository or a directory remote (default: the repository here)", PositionalSpec::optional}},
          {{"--quick", nullptr, "Only the index against the packs, and the refs: reads no object"},
           {"--deep", nullptr, "Also make every commit's files in memory and compare them with what was committed"},
           {"--rebuild", nullptr, "Delete the caches (index.db) first and make them anew"},
           {"--repair-from", "REMOTE|FOLDER", "Get what is damaged or missing from a remote, a repository, or a folder with the base's safetensors files"}},
          run};
}

}  // namespace dstore::cli
