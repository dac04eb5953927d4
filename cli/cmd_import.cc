#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/import.h"

namespace dstore::cli {
namespace {

constexpr std::uint64_t kWorthTelling = 1'000'000;  ///< bytes: small objects are often there already

int run(const Arguments& arguments, Session& session) {
  if (!arguments.has("name")) throw Error(ErrorCode::invalid_argument, "give the base a name: dstore import FOLDER --name NAME");
  const RefName branch = RefName::parse(arguments.get("name"));
  ImportOptions options;
  options.profile = parse_profile(arguments.get("profile", "fast"));
  options.link = arguments.has("link");
  options.notice = [&](const std::string& line) { session.note("note: " + line); };
  Repository repository = session.open();
  const std::string typed = arguments.get("folder");
  const CheckpointFolder folder(session.fs(), session.path(typed));
  for (const std::string& notice : folder.notices()) session.note("note: " + notice);
  const Committer committer = session.committer(arguments);
  ImportReport report;
  {
    const Progress progress = session.progress("importing");
    report = import_folder(repository, folder, branch, arguments.get("message", "import " + file_name(typed)), committer, progress, options);
  }
  if (session.json) {
    Json json;
    json.set("commit", report.commit.hex());
    json.set("weights", report.weights.hex());
    json.set("branch", branch.text());
    json.set("unchanged", report.unchanged ? 1 : 0);
    json.set("folder_bytes", static_cast<std::int64_t>(report.folder_bytes));
    json.set("stored_bytes", static_cast<std::int64_t>(report.stored_bytes));
    json.set("found_bytes", static_cast<std::int64_t>(report.found_bytes));
    json.set("linked_bytes", static_cast<std::int64_t>(report.linked_bytes));
    json.set("tensors", static_cast<std::int64_t>(report.tensors));
    print_json(json.serialize());
    return 0;
  }
  if (report.unchanged) {
    std::string news = "nothing to import";
    if (report.stored_bytes > 0) news = human_size(report.stored_bytes) + " that were damaged or not stored here are stored now";
    if (report.linked_bytes > 0) news = human_size(report.linked_bytes) + " are read from the folder";
    session.say(branch.text() + " is at " + report.commit.short_hex() + " already: " + news);
    return 0;
  }
  session.say("[" + branch.text() + " " + report.commit.short_hex() + "] " + grouped(report.tensors) + " tensors in " +
              std::to_string(report.shards) + (report.shards == 1 ? " file, " : " files, ") + std::to_string(report.side_files) +
              " side files: " + human_size(report.folder_bytes) + ", " + human_size(report.stored_bytes) + " new in the store" +
              (report.found_bytes >= kWorthTelling ? ", " + human_size(report.found_bytes) + " were there already" : "") +
              (report.linked_bytes > 0 ? ", " + human_size(report.linked_bytes) + " linked" : ""));
  if (report.linked_bytes > 0) session.note("note: the store has no copy of these weights; keep the folder as it is, or import it again without --link");
  session.say("weights " + report.weights.hex());
  return 0;
}

}  // namespace

Command import_command() {
  return {"import", "Start", "Take a base checkpoint in: a folder of safetensors files",
          "dstore import ./bert-base --name base -m 'BERT base, uncased'",
          {{"folder", "A Hugging Face style folder, sharded or not"}},
          {{"--name", "NAME", "Branch for it (required)"},
           {"-m,--message", "MSG", "What it is"},
           {"--profile", "compact|fast", "Store new tensors as they are (fast, the default), or in fewer bytes (compact)"},
           {"--link", nullptr, "Keep no copy: read the weights from the folder's files, which must stay as they are"},
           {"--author", "WHO", "Author (default: $DSTORE_AUTHOR, or user@host)"},
           {"--no-sign", nullptr, "Make an unsigned commit"}},
          run};
}

}  // namespace dstore::cli
