#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "repo/apply.h"
#include "session.h"

namespace dstore::cli {

/// "commit 0123456789: good signature by ...".
std::string signature_line(const Session& session, const CheckedCommit& commit);
Json signatures_json(const std::vector<CheckedCommit>& commits);

/// What apply and switch did in a folder, as lines or as JSON.
void print_change(const Session& session, const std::string& folder, const ApplyReport& report);
/// What a checkout or an apply with -o wrote.
void print_written(const Session& session, const std::string& folder, const std::string& revision, const CheckoutReport& report);

}  // namespace dstore::cli
