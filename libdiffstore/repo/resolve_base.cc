#include "repo/resolve_base.h"

#include "dstore/error.h"

namespace dstore {

ObjectId resolve_base(const Repository& repository, std::string_view text) {
  const Revision revision = resolve_revision(repository, text);
  if (!revision.base && !revision.computed) return revision.commit;
  throw Error(ErrorCode::invalid_argument, "\"" + printable(text) + "\" is computed and no base, which this command wants; `dstore checkout '" + printable(text) +
                                               "' -o FOLDER` and `dstore import FOLDER --name NAME` make one of it");
}

}  // namespace dstore
