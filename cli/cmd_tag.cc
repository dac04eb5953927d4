#include "command.h"
#include "ref_list.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  if (arguments.has("delete")) return delete_ref(arguments, session, repository, RefKind::tag, arguments.get("delete"));
  if (!arguments.has("name")) return list_refs(session, repository, RefKind::tag, false);
  return create_ref(arguments, session, repository, RefKind::tag);
}

}  // namespace

Command tag_command() {
  return {"tag", "Look", "List tags, make one, or delete one", "dstore tag v1.0 sst2",
          {{"name", "New tag", PositionalSpec::optional}, {"rev", "What it names", PositionalSpec::optional}},
          {{"-d,--delete", "NAME", "Delete this tag"}, {"--no-sign", nullptr, "Do not sign it"}}, run};
}

}  // namespace dstore::cli
