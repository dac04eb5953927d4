#include "repo/repair_refs.h"

#include <algorithm>

#include "dstore/error.h"

namespace dstore {
namespace {

using Salvage = std::map<std::uint64_t, std::optional<RefEntry>>;

RefLog log_of(const Repository& repository, const std::string& log) {
  return log == "refs" ? repository.refs() : repository.remote_refs(log.substr(log.find('/') + 1));
}

/// Whose refs these are: of a mirror, what another ref of it says.
std::optional<ObjectId> owner_of(const Repository& repository, const std::string& log) {
  if (log == "refs") return repository.config().repository;
  const auto heads = log_of(repository, log).all_heads().heads;
  return heads.empty() ? std::nullopt : std::optional(heads.front().repository);
}

/// The chain of the ref in that log, if ours is the start of it, as far as ours can be read.
std::vector<RefEntry> same_history(const RefLog& source, const RefName& ref, const Salvage& ours, const std::optional<ObjectId>& owner) {
  std::vector<RefEntry> chain;
  try {
    chain = source.entries(ref);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::io) throw;
    return {};
  }
  const std::uint64_t last = ours.empty() ? 0 : ours.rbegin()->first;
  if (chain.size() < last || chain.empty()) return {};
  bool related = owner == chain.front().repository;
  for (const auto& [sequence, entry] : ours) {
    if (!entry) continue;
    if (entry->digest() != chain[sequence - 1].digest()) return {};
    related = true;
  }
  if (!related) return {};
  chain.erase(chain.begin() + static_cast<std::ptrdiff_t>(last), chain.end());
  return chain;
}

bool is_well_signed(const Repository& repository, const RefEntry& entry) {
  if (entry.signature.empty()) return false;
  const std::string payload = entry.payload();
  return repository.trust().check(std::vector<Bytes>{dearmor(entry.signature, "ref " + entry.ref.text())}, kRefNamespace, as_bytes(payload)).verdict == Verdict::good;
}

/// "" when the ref's chain holds again.
std::string repair_ref(Repository& repository, const DamagedRef& damaged, const std::vector<RefLog>& sources, RepairReport& report) {
  RefLog log = log_of(repository, damaged.log);
  const Salvage ours = log.salvage(damaged.ref);
  const auto owner = owner_of(repository, damaged.log);
  for (const RefLog& source : sources) {
    const std::vector<RefEntry> chain = same_history(source, damaged.ref, ours, owner);
    if (chain.empty()) continue;
    const bool proved = ours.rbegin()->second.has_value();  // by the digests that lead there
    if (!proved && !is_well_signed(repository, chain.back())) return "its last entry in the copy is not signed by a key that you trust";
    for (const RefEntry& entry : chain) {
      const auto own = ours.find(entry.sequence);
      if (own != ours.end() && own->second) continue;
      make_directories(repository.fs(), repository.path("quarantine"));
      const std::string aside = repository.path("quarantine/" + damaged.ref.encode().substr(0, 100) + "-" + std::to_string(entry.sequence) + "-" + random_name());
      log.restore(entry, aside);
      ++report.ref_entries;
      if (own != ours.end()) report.quarantined.push_back(aside);
    }
    return "";
  }
  return "no copy of its history is there";
}

}  // namespace

void repair_refs(Repository& repository, const std::vector<DamagedRef>& damaged, const std::vector<RefLog>& sources, RepairReport& report) {
  for (const DamagedRef& ref : damaged) {
    const std::string problem = repair_ref(repository, ref, sources, report);
    if (!problem.empty()) report.left.push_back(printable(ref.log) + ": ref " + ref.ref.text() + " stays as it is: " + problem);
  }
}

}  // namespace dstore
