#include <iostream>

#include "command.h"
#include "dstore/error.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

ObjectId find_object(const Repository& repository, const std::string& text) {
  if (const auto id = ObjectId::from_hex(text)) return *id;
  const bool hex = text.size() >= 4 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  const auto found = hex ? repository.store().find_prefix(text) : std::vector<ObjectEntry>();
  if (found.size() == 1) return found.front().id;
  if (found.size() > 1) throw Error(ErrorCode::invalid_argument, text + ": several objects start so; write more of the id");
  return resolve_commit(repository, text);
}

int run(const Arguments& arguments, Session& session) {
  const Repository repository = session.open();
  const ObjectId id = find_object(repository, arguments.get("id"));
  const auto entry = repository.store().find(id);
  if (!entry) throw Error(ErrorCode::not_found, "no object " + id.hex());
  if (arguments.has("type")) {
    std::cout << kind_name(entry->kind) << " " << entry->raw_size << "\n";
    return 0;
  }
  const Bytes bytes = repository.store().read(entry->kind, id);
  std::cout.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return 0;
}

}  // namespace

Command cat_command() {
  return {"cat", "Look", "Write an object's bytes to standard output, verified", "dstore cat sst2 | python3 -m json.tool",
          {{"id", "An object id or a prefix of it, or a revision (its commit)"}},
          {{"-t,--type", nullptr, "Print kind and size instead"}}, run};
}

}  // namespace dstore::cli
