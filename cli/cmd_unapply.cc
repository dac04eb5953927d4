#include "command.h"
#include "output.h"
#include "repo/folder_undo.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  const std::string folder = session.path(arguments.get("folder"));
  const UnapplyReport report = unapply(session.fs(), folder);
  if (session.json) {
    Json json;
    json.set("folder", folder);
    json.set("before", report.undone);
    json.set("after", report.revision);
    json.set("restored_bytes", static_cast<std::int64_t>(report.patched));
    json.set("rewritten", static_cast<std::int64_t>(report.rewritten));
    print_json(json.serialize());
    return 0;
  }
  std::string line = printable(folder) + ": " + printable(report.undone) + " → " + printable(report.revision) + ", " + human_size(report.patched) + " put back";
  if (report.rewritten > 0) line += ", " + std::to_string(report.rewritten) + (report.rewritten == 1 ? " file" : " files") + " written again";
  session.say(line);
  return 0;
}

}  // namespace

Command unapply_command() {
  return {"unapply", "Work", "Take the last apply or switch of a folder back, bit for bit; needs no repository", "dstore unapply ./out",
          {{"folder", "The folder that was changed"}}, {}, run};
}

}  // namespace dstore::cli
