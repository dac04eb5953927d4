#pragma once

#include <string>

#include "command.h"
#include "repo/transfer.h"

namespace dstore::cli {

/// "origin" if there is one, or the only remote, or the one named.
std::string choose_remote(const Repository& repository, const Arguments& arguments);
std::vector<RefName> chosen_refs(const Arguments& arguments);
/// JSON: {remote, objects, bytes, up_to_date, refs: [{name, before, after}], forgotten}.
void print_transfer(const Session& session, const std::string& verb, const std::string& remote, const TransferReport& report);

}  // namespace dstore::cli
