#include "repo/catalog.h"

#include <algorithm>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "dstore/error.h"
#include "repo/history.h"

namespace dstore {
namespace {

using Kind = CatalogFile::Kind;

constexpr std::uint64_t kSaveEvery = 512;    ///< rows read from the store, so that little is lost with Ctrl-C
constexpr std::size_t kRowsByThread = 256;
const ByteSpan kPacksKey = as_bytes("packs");

/// Decodes rows on all cores. Rows that do not decode (of another build) are left out.
template <typename Value, typename Decode>
std::unordered_map<ObjectId, Value> decode_rows(const std::vector<CatalogFile::Row>& rows, const Decode& decode) {
  std::vector<std::optional<std::pair<ObjectId, Value>>> decoded(rows.size());
  parallel_for((rows.size() + kRowsByThread - 1) / kRowsByThread, 0, [&](std::size_t run) {
    for (std::size_t i = run * kRowsByThread; i < std::min(rows.size(), (run + 1) * kRowsByThread); ++i) {
      if (rows[i].key.size() != ObjectId::kSize) continue;
      try {
        const ObjectId id(ByteSpan(rows[i].key).first<ObjectId::kSize>());
        decoded[i].emplace(id, decode(id, rows[i].content));
      } catch (const Error&) {
        continue;
      }
    }
  });
  std::unordered_map<ObjectId, Value> out;
  out.reserve(rows.size());
  for (auto& row : decoded) {
    if (row) out.insert(std::move(*row));
  }
  return out;
}

Bytes pack_list(const std::vector<ObjectId>& packs) {
  Writer out;
  for (const ObjectId& pack : packs) out.id(pack);
  return out.take();
}

}  // namespace

Catalog::Catalog(const Repository& repository, Progress progress)
    : repository_(repository), file_(repository.catalog()), trust_(repository.trust().digest()), progress_(std::move(progress)),
      sizer_(repository), tensor_reader_(repository) {}

Catalog::~Catalog() { save(); }

void Catalog::save() {
  if (file_ != nullptr) file_->flush();
}

void Catalog::count_read() {
  check_interrupt();
  if (++read_ % kSaveEvery == 0) save();
  if (progress_) progress_(read_, 0);
}

void Catalog::load_commits() {
  if (commits_loaded_) return;
  commits_loaded_ = true;
  if (file_ == nullptr) return;
  commits_ = decode_rows<CommitFacts>(file_->all(Kind::commit, trust_), decode_facts);
  drop_stale();
}

void Catalog::drop_stale() {
  const std::vector<ObjectId> packs = repository_.store().packs();
  const Bytes present = pack_list(packs);
  const auto before = file_->find(Kind::packs, ObjectId(), kPacksKey);
  if (before && *before == present) return;
  bool all_there = before.has_value();
  if (before) {
    Reader in(*before, "catalog");
    while (all_there && in.remaining() >= ObjectId::kSize) all_there = std::binary_search(packs.begin(), packs.end(), in.id());
  }
  const ObjectStore& store = repository_.store();
  std::erase_if(commits_, [&](const auto& row) {
    const CommitFacts& facts = row.second;
    if (!all_there && !store.contains(facts.id)) return true;
    return facts.signature.verdict != Verdict::good && (facts.signature.verdict != Verdict::unsigned_ || !store.signatures_of(facts.id).empty());
  });
  file_->put(Kind::packs, ObjectId(), kPacksKey, present);
}

void Catalog::load_tensors() {
  if (tensors_loaded_) return;
  tensors_loaded_ = true;
  if (file_ != nullptr) tensors_ = decode_rows<CommitTensors>(file_->all(Kind::tensors, ObjectId()), decode_tensors);
}

const CommitFacts& Catalog::commit(const ObjectId& id) {
  load_commits();
  const auto found = commits_.find(id);
  if (found != commits_.end()) return found->second;
  const CommitFacts& facts = commits_.emplace(id, read_facts(repository_, sizer_, id)).first->second;
  if (file_ != nullptr) file_->put(Kind::commit, trust_, id.bytes(), encode_facts(facts));
  count_read();
  return facts;
}

std::vector<const CommitFacts*> Catalog::history(const std::vector<ObjectId>& heads) {
  std::vector<const CommitFacts*> out;
  for (const ObjectId& id : dstore::history([this](const ObjectId& of) -> const Commit& { return commit(of).commit; }, heads)) {
    out.push_back(&commits_.at(id));
  }
  return out;
}

std::map<ObjectId, std::string> task_branches(Catalog& catalog, const std::vector<std::pair<std::string, ObjectId>>& branches) {
  std::map<ObjectId, std::string> out;
  for (const auto& [name, head] : branches) {
    ObjectId commit = head;
    for (;;) {
      const CommitFacts& facts = catalog.commit(commit);
      if (!facts.is_task() || !out.try_emplace(commit, name).second || facts.commit.parents.empty()) break;
      commit = facts.commit.parents.front();
    }
  }
  return out;
}

const CommitTensors& Catalog::tensors(const ObjectId& id) {
  load_tensors();
  const auto found = tensors_.find(id);
  if (found != tensors_.end()) return found->second;
  const CommitTensors& read = tensors_.emplace(id, tensor_reader_.read(commit(id).commit)).first->second;
  if (file_ != nullptr) file_->put(Kind::tensors, ObjectId(), id.bytes(), encode_tensors(read));
  count_read();
  return read;
}

}  // namespace dstore
