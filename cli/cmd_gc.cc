#include <charconv>
#include <limits>

#include "collect_output.h"
#include "dstore/error.h"
#include "repo/reachable.h"
#include "repo/transfer.h"
#include "transfer_output.h"

namespace dstore::cli {
namespace {

KeepHistory parse_keep(const std::string& text) {
  KeepHistory keep;
  if (text.empty()) return keep;
  constexpr std::string_view kLast = "last=";
  const std::string_view number = std::string_view(text).substr(std::min(text.size(), kLast.size()));
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), keep.last);
  const bool last = text.starts_with(kLast) && parsed.ec == std::errc() && parsed.ptr == number.data() + number.size() && keep.last > 0;
  if (text == "all") {
    keep.last = std::numeric_limits<std::uint64_t>::max();
  } else if (!last) {
    throw Error(ErrorCode::invalid_argument, "--keep: expected last=N (N from 1) or all, not \"" + printable(text) + "\"");
  }
  return keep;
}

int run(const Arguments& arguments, Session& session) {
  Repository own = session.open();
  const bool there = arguments.has("remote");
  std::optional<Repository> remote;
  if (there) remote.emplace(open_named_remote(own, arguments.get("remote")));
  Repository& repository = there ? *remote : own;
  Reachable reachable(repository, parse_keep(arguments.get("keep")));
  CollectOptions options = collect_options(arguments, session);
  options.dry_run = arguments.has("dry-run");
  print_collection(session, repository.store().collect(reachable, options), options.dry_run);
  return 0;
}

}  // namespace

Command gc_command() {
  return {"gc", "Upkeep", "Remove what no branch, tag, remote or staged training leads to", "dstore gc --dry-run",
          {},
          {{"-n,--dry-run", nullptr, "Say what would go, and remove nothing"},
           {"--keep", "last=N|all", "Keep also what branches and tags named before: their last N positions (default: only the present one)"},
           kWaitOption,
           {"--remote", "NAME", "In this remote's folder instead"}},
          run};
}

}  // namespace dstore::cli
