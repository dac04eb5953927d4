#pragma once

#include <string>

#include "command.h"
#include "repo/repository.h"

namespace dstore::cli {

// What `branch` and `tag` share.
int list_refs(const Session& session, const Repository& repository, RefKind kind, bool remotes);
int create_ref(const Arguments& arguments, Session& session, Repository& repository, RefKind kind);
int delete_ref(const Arguments& arguments, Session& session, Repository& repository, RefKind kind, const std::string& name);

}  // namespace dstore::cli
