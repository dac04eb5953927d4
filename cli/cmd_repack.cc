#include <charconv>

#include "collect_output.h"
#include "dstore/error.h"
#include "repo/reachable.h"
#include "repo/repack.h"

namespace dstore::cli {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr Unit kUnits[] = {{"", 1}, {"k", 1000}, {"M", 1'000'000}, {"G", 1'000'000'000}, {"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}};

/// "64M", "64MB", "64MiB", "65536".
std::uint64_t parse_size(const std::string& text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit(parsed.ptr, static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
  if (unit.ends_with('B')) unit.remove_suffix(1);
  for (const Unit& row : kUnits) {
    if (parsed.ec == std::errc() && row.name == unit && number > 0 && number <= kLargestPack / row.bytes) return number * row.bytes;
  }
  throw Error(ErrorCode::invalid_argument, "--max-pack: expected a size such as 64M, at most 2G, not \"" + printable(text) + "\"");
}

int run(const Arguments& arguments, Session& session) {
  Repository repository = session.open();
  CollectOptions options = collect_options(arguments, session);
  if (arguments.has("max-pack")) options.pack_target = parse_size(arguments.get("max-pack"));
  if (arguments.has("profile")) options.profile = parse_profile(arguments.get("profile"));
  options.dry_run = arguments.has("dry-run");
  print_collection(session, repack(repository, std::move(options)), arguments.has("dry-run"));
  return 0;
}

}  // namespace

Command repack_command() {
  return {"repack", "Upkeep", "Join small packs, or store chunks in fewer bytes; no id changes", "dstore repack --profile compact",
          {},
          {{"-n,--dry-run", nullptr, "Say which packs would go, and write nothing"},
           {"--profile", "compact|fast", "Store all chunks anew, in fewer bytes (compact) or for speed (fast)"},
           {"--max-pack", "SIZE", "Size of the packs that are written (default 64Mi, at most 2G)"},
           kWaitOption},
          run};
}

}  // namespace dstore::cli
