#pragma once

#include <string>

#include "command.h"
#include "odb/collect.h"

namespace dstore::cli {

/// "commits", "chunks", ...: more than one object of that kind, for a person.
std::string removed_text(const CollectReport& report);

/// What gc and repack print. JSON: {dry_run, removed: {KIND: {objects, bytes}}, packs_deleted, packs_written, bytes_before,
/// bytes_after, leftovers, waiting: [WHO], left_alone: [WHY]}.
void print_collection(const Session& session, const CollectReport& report, bool dry_run);

/// --wait and what goes to the terminal.
CollectOptions collect_options(const Arguments& arguments, const Session& session);

inline const OptionSpec kWaitOption = {"--wait", "SECONDS", "How long to wait for writers that began before (default 10)"};

}  // namespace dstore::cli
