#pragma once

#include "repo/export.h"
#include "session.h"

namespace dstore::cli {

/// What an export wrote and what it lost: lines for a person, or JSON with a row for each tensor.
void print_export(const Session& session, const ExportReport& report, std::string_view format, const std::string& revision, const std::string& target);

}  // namespace dstore::cli
