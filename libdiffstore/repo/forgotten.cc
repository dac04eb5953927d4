#include "repo/forgotten.h"

#include <array>
#include <ctime>

#include "dstore/error.h"

namespace dstore {
namespace {

Verification judge(const Repository& repository, const RefEntry& record) {
  const std::string payload = record.payload();
  std::vector<Bytes> blobs;
  if (!record.signature.empty()) blobs.push_back(dearmor(record.signature, "record of a forgotten commit"));
  return repository.trust().check(blobs, kRefNamespace, as_bytes(payload));
}

bool counts(const Repository& repository, const RefEntry& record, bool own) {
  const Verdict verdict = judge(repository, record).verdict;
  return verdict == Verdict::good || (own && verdict == Verdict::unsigned_);
}

std::optional<RefEntry> record_in(const Repository& repository, const RefLog& refs, const ObjectId& commit, bool own) {
  auto head = refs.head(forgotten_name(commit));
  if (!head || head->is_deletion() || !counts(repository, *head, own)) return std::nullopt;
  return head;
}

std::set<ObjectId> commits_in(const Repository& repository, const RefLog& refs, bool own) {
  std::set<ObjectId> out;
  for (const RefEntry& record : refs.forgotten()) {
    if (counts(repository, record, own)) out.insert(record.new_commit);
  }
  return out;
}

}  // namespace

std::optional<RefEntry> forgotten_record(const Repository& repository, const ObjectId& commit) {
  if (auto record = record_in(repository, repository.refs(), commit, true)) return record;
  for (const RefLog& mirror : repository.mirrors()) {
    if (auto record = record_in(repository, mirror, commit, false)) return record;
  }
  return std::nullopt;
}

std::set<ObjectId> forgotten_commits(const Repository& repository) {
  std::set<ObjectId> out = commits_in(repository, repository.refs(), true);
  for (const RefLog& mirror : repository.mirrors()) out.merge(forgotten_there(repository, mirror));
  return out;
}

std::set<ObjectId> forgotten_there(const Repository& repository, const RefLog& refs) { return commits_in(repository, refs, false); }

std::string describe_forgotten(const Repository& repository, const RefEntry& record) {
  const std::time_t time = static_cast<std::time_t>(record.time);
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%d", &utc);
  const Verification verification = judge(repository, record);
  return "forgotten on " + std::string(date.data()) + (verification.verdict == Verdict::good ? " by " + printable(verification.principal) : std::string());
}

}  // namespace dstore
