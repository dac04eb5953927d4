#include "transfer_output.h"

#include "dstore/error.h"
#include "output.h"

namespace dstore::cli {

std::string choose_remote(const Repository& repository, const Arguments& arguments) {
  if (arguments.has("remote")) return arguments.get("remote");
  const auto& remotes = repository.config().remotes;
  if (remotes.empty()) throw Error(ErrorCode::not_found, "there is no remote yet; `dstore remote add origin PATH` makes one");
  if (remotes.count("origin") > 0) return "origin";
  if (remotes.size() == 1) return remotes.begin()->first;
  throw Error(ErrorCode::invalid_argument, "several remotes and none is called origin; name one");
}

std::vector<RefName> chosen_refs(const Arguments& arguments) {
  std::vector<RefName> refs;
  for (const std::string& text : arguments.all("ref")) refs.push_back(RefName::parse(text));
  return refs;
}

void print_transfer(const Session& session, const std::string& verb, const std::string& remote, const TransferReport& report) {
  if (session.json) {
    Json::Array refs;
    for (const auto& ref : report.refs) {
      Json row;
      row.set("name", ref.name);
      row.set("before", ref.before.is_none() ? std::string() : ref.before.hex());
      row.set("after", ref.after.hex());
      refs.push_back(std::move(row));
    }
    Json json;
    json.set("remote", remote);
    json.set("objects", static_cast<std::int64_t>(report.objects));
    json.set("bytes", static_cast<std::int64_t>(report.bytes));
    json.set("up_to_date", static_cast<std::int64_t>(report.up_to_date));
    json.set("refs", Json(std::move(refs)));
    json.set("evaluations", static_cast<std::int64_t>(report.evaluations));
    json.set("untrusted_evaluations", static_cast<std::int64_t>(report.untrusted_evaluations));
    json.set("forgotten", static_cast<std::int64_t>(report.forgotten));
    print_json(json.serialize());
    return;
  }
  for (const auto& ref : report.refs) {
    session.say("  " + (ref.before.is_none() ? "new       " : ref.before.short_hex()) + " → " + ref.after.short_hex() + "  " + ref.name);
  }
  for (const std::string& name : report.skipped) session.say("  skipped " + name + ": it names a forgotten commit");
  if (report.forgotten > 0) session.say("  " + grouped(report.forgotten) + (report.forgotten == 1 ? " record of a forgotten commit " : " records of forgotten commits ") + verb);
  if (report.evaluations > 0) session.say("  " + grouped(report.evaluations) + (report.evaluations == 1 ? " evaluation " : " evaluations ") + verb);
  if (report.untrusted_evaluations > 0) {
    session.note("note: " + grouped(report.untrusted_evaluations) + (report.untrusted_evaluations == 1 ? " evaluation" : " evaluations") +
                 " left there: not signed by a key that you trust (`dstore key list`)");
  }
  if (report.refs.empty() && report.evaluations == 0) {
    session.say(remote + ": everything is up to date");
  } else {
    session.say(remote + ": " + grouped(report.objects) + " objects " + verb + ", " + human_size(report.bytes));
  }
}

}  // namespace dstore::cli
