#include <algorithm>

#include "base/json.h"
#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/disk_usage.h"

namespace dstore::cli {
namespace {

struct Part {
  const char* key;
  const char* text;
  std::uint64_t DiskUsage::*bytes;
  bool always;
};

/// They add up to the total.
constexpr Part kParts[] = {
    {"exclusive", "used by one branch or tag", &DiskUsage::exclusive, true},
    {"shared", "used by several", &DiskUsage::shared, true},
    {"elsewhere", "used by remotes and staged work alone", &DiskUsage::elsewhere, false},
    {"copies", "second copies (dstore gc removes them)", &DiskUsage::copies, false},
    {"garbage", "garbage (dstore gc removes it)", &DiskUsage::garbage, true},
    {"framing", "headers and trailers of packs", &DiskUsage::framing, true},
    {"unreadable", "damaged packs (see dstore verify)", &DiskUsage::unreadable, false},
    {"total", "all packs", &DiskUsage::total, true},
};

int run(const Arguments& arguments, Session& session) {
  const Repository repository = session.open();
  DiskUsage usage = disk_usage(repository);
  const std::vector<std::string> chosen = arguments.all("ref");
  for (const std::string& name : chosen) {
    if (std::none_of(usage.refs.begin(), usage.refs.end(), [&](const DiskUsage::Ref& ref) { return ref.name == name; })) {
      throw Error(ErrorCode::not_found, "no branch or tag is called " + printable(name));
    }
  }
  if (!chosen.empty()) {
    std::erase_if(usage.refs, [&](const DiskUsage::Ref& ref) { return std::find(chosen.begin(), chosen.end(), ref.name) == chosen.end(); });
  }
  if (session.json) {
    Json::Array refs;
    for (const DiskUsage::Ref& ref : usage.refs) {
      Json row;
      row.set("name", ref.name);
      row.set("commit", ref.commit.hex());
      row.set("exclusive", static_cast<std::int64_t>(ref.exclusive));
      row.set("shared", static_cast<std::int64_t>(ref.shared));
      refs.push_back(std::move(row));
    }
    Json json;
    json.set("refs", Json(std::move(refs)));
    for (const Part& part : kParts) json.set(part.key, static_cast<std::int64_t>(usage.*part.bytes));
    json.set("bases", static_cast<std::int64_t>(usage.bases));
    json.set("tasks", static_cast<std::int64_t>(usage.tasks));
    print_json(json.serialize());
    return 0;
  }
  Table table({"", ">exclusive", ">shared"});
  for (const DiskUsage::Ref& ref : usage.refs) table.add({ref.name, human_size(ref.exclusive), human_size(ref.shared)});
  Table sums({"", ">"});
  for (const Part& part : kParts) {
    if (part.always || usage.*part.bytes > 0) sums.add({part.text, human_size(usage.*part.bytes)});
  }
  std::string text = (usage.refs.empty() ? std::string() : table.text()) + sums.text();
  if (!text.empty()) text.pop_back();
  session.say(text);
  session.say("of what is used, bases " + human_size(usage.bases) + ", tasks " + human_size(usage.tasks));
  return 0;
}

}  // namespace

Command du_command() {
  return {"du", "Upkeep", "Bytes that each branch and tag uses, alone and together with others", "dstore du base sst2",
          {{"ref", "Branches and tags (default: all)", PositionalSpec::any}}, {}, run};
}

}  // namespace dstore::cli
