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
constexpr std::size_t kMostLoose = 1024;     ///< rows of commits beside the bundles
const ByteSpan kPacksKey = as_bytes("packs");

/// nullopt for a key that is no id.
std::optional<ObjectId> id_of(const CatalogFile::Row& row) {
  if (row.key.size() != ObjectId::kSize) return std::nullopt;
  return ObjectId(row.key.first<ObjectId::kSize>());
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
  stored_ = file_->all(Kind::commit, trust_);
  bundled_ = unpack_bundles(file_->all(Kind::commit_bundle, trust_));
  commit_rows_.reserve(stored_.rows.size() + bundled_.rows.size());
  for (const auto* rows : {&stored_.rows, &bundled_.rows}) {  // a row of its own is the newer one
    for (const CatalogFile::Row& row : *rows) {
      if (const auto id = id_of(row)) commit_rows_.emplace(*id, row.content);
    }
  }
  if (drop_stale() || stored_.rows.size() > kMostLoose) bundle_commits();
}

void Catalog::bundle_commits() {
  std::vector<CatalogFile::Row> rows;
  rows.reserve(commit_rows_.size());
  for (const auto& [id, content] : commit_rows_) rows.push_back({id.bytes(), content});
  // As a log walks them: neighbours in time are neighbours in memory.
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return decode_link(a.content).time > decode_link(b.content).time; });
  const std::vector<Bytes> bundles = pack_bundles(rows);
  file_->clear(Kind::commit);
  file_->clear(Kind::commit_bundle);
  for (std::size_t i = 0; i < bundles.size(); ++i) file_->put(Kind::commit_bundle, trust_, bundle_key(i), bundles[i]);
}

bool Catalog::drop_stale() {
  const std::vector<ObjectId> packs = repository_.store().packs();
  const Bytes present = pack_list(packs);
  const auto before = file_->find(Kind::packs, ObjectId(), kPacksKey);
  if (before && *before == present) return false;
  bool all_there = before.has_value();
  if (before) {
    Reader in(*before, "catalog");
    while (all_there && in.remaining() >= ObjectId::kSize) all_there = std::binary_search(packs.begin(), packs.end(), in.id());
  }
  const ObjectStore& store = repository_.store();
  const std::size_t dropped = std::erase_if(commit_rows_, [&](const auto& row) {
    if (!all_there && !store.contains(row.first)) return true;
    const Verdict verdict = decode_facts(row.first, row.second).signature.verdict;
    return verdict != Verdict::good && (verdict != Verdict::unsigned_ || !store.signatures_of(row.first).empty());
  });
  file_->put(Kind::packs, ObjectId(), kPacksKey, present);
  return dropped > 0;
}

ByteSpan Catalog::commit_row(const ObjectId& id) {
  load_commits();
  const bool forgotten = sizer_.is_forgotten(id);  // a row would be of the time before
  const auto found = commit_rows_.find(id);
  if (found != commit_rows_.end() && !forgotten) return found->second;
  made_.push_back(encode_facts(read_facts(repository_, sizer_, id)));
  if (file_ != nullptr && !forgotten) file_->put(Kind::commit, trust_, id.bytes(), made_.back());
  count_read();
  return commit_rows_.insert_or_assign(id, made_.back()).first->second;
}

const EvaluationTable& Catalog::evaluations() {
  if (!evaluations_) evaluations_.emplace(repository_, file_, trust_);
  return *evaluations_;
}

CommitFacts Catalog::facts(const ObjectId& id) {
  CommitFacts facts = decode_facts(id, commit_row(id));
  set_evaluations(facts, evaluations().of(id));
  return facts;
}

const CommitFacts& Catalog::commit(const ObjectId& id) {
  const auto found = commits_.find(id);
  return found != commits_.end() ? found->second : commits_.emplace(id, facts(id)).first->second;
}

std::vector<const CommitFacts*> Catalog::commits(const std::vector<ObjectId>& ids) {
  std::vector<const CommitFacts*> out;
  out.reserve(ids.size());
  for (const ObjectId& id : ids) out.push_back(&commit(id));
  return out;
}

void Catalog::each(const std::vector<ObjectId>& ids, const std::function<void(std::size_t, const CommitFacts&)>& body) {
  constexpr std::size_t kStep = 256;
  std::vector<ByteSpan> rows;
  rows.reserve(ids.size());
  for (const ObjectId& id : ids) rows.push_back(commit_row(id));
  const EvaluationTable& evaluations = this->evaluations();
  parallel_for((ids.size() + kStep - 1) / kStep, 0, [&](std::size_t step) {
    for (std::size_t i = step * kStep; i < std::min(ids.size(), (step + 1) * kStep); ++i) {
      CommitFacts facts = decode_facts(ids[i], rows[i]);
      set_evaluations(facts, evaluations.of(ids[i]));
      body(i, facts);
    }
  });
}

std::vector<ObjectId> Catalog::history(const std::vector<ObjectId>& heads) {
  return dstore::history([this](const ObjectId& id) { return decode_link(commit_row(id)); }, heads);
}

void Catalog::load_tensors() {
  if (tensors_loaded_) return;
  tensors_loaded_ = true;
  if (file_ == nullptr) return;
  const CatalogFile::Rows stored = file_->all(Kind::tensors, ObjectId());
  for (const CatalogFile::Row& row : stored.rows) {
    if (const auto id = id_of(row)) tensors_.emplace(*id, decode_tensors(*id, row.content));
  }
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
  if (sizer_.is_forgotten(id)) return tensors_.insert_or_assign(id, CommitTensors()).first->second;
  const auto found = tensors_.find(id);
  if (found != tensors_.end()) return found->second;
  const CommitTensors& read = tensors_.emplace(id, tensor_reader_.read(commit(id).commit)).first->second;
  if (file_ != nullptr) file_->put(Kind::tensors, ObjectId(), id.bytes(), encode_tensors(read));
  count_read();
  return read;
}

}  // namespace dstore
