#include "command.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/revision.h"
#include "ref_list.h"

namespace dstore::cli {
namespace {

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  if (arguments.has("delete")) return delete_ref(arguments, session, repository, RefKind::branch, arguments.get("delete"));
  if (!arguments.has("name")) return list_refs(session, repository, RefKind::branch, arguments.has("all"));
  return create_ref(arguments, session, repository, RefKind::branch);
}

}  // namespace

Command branch_command() {
  return {"branch", "Look", "List branches, make one, or delete one", "dstore branch sst2-old sst2~1",
          {{"name", "New branch", PositionalSpec::optional}, {"rev", "Where it starts", PositionalSpec::optional}},
          {{"-d,--delete", "NAME", "Delete this branch (its history of moves is kept)"},
           {"-a,--all", nullptr, "List the remotes' branches too"},
           {"--no-sign", nullptr, "Do not sign the move"}},
          run};
}

}  // namespace dstore::cli
