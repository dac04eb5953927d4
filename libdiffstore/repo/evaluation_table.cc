#include "repo/evaluation_table.h"

#include <algorithm>

#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/commit_facts.h"

namespace dstore {
namespace {

using Kind = CatalogFile::Kind;

const ByteSpan kKey = as_bytes("evaluations");

ObjectId digest_of(const std::vector<ObjectId>& packs) {
  Writer out;
  for (const ObjectId& pack : packs) out.id(pack);
  return sha256(out.data());
}

Bytes encode(const ObjectId& packs, const std::vector<CheckedEvaluation>& evaluations) {
  Writer out;
  out.id(packs);
  out.u32(static_cast<std::uint32_t>(evaluations.size()));
  for (const CheckedEvaluation& each : evaluations) {
    out.id(each.id);
    out.sized_text(each.evaluation.serialize());
    out.u8(each.signature.key ? 1 : 0);
    put_verification(out, each.signature);
  }
  return out.take();
}

/// The packs that the row is of, and its evaluations.
std::pair<ObjectId, std::vector<CheckedEvaluation>> decode(ByteSpan bytes) {
  Reader in(bytes, "catalog");
  std::pair<ObjectId, std::vector<CheckedEvaluation>> out;
  out.first = in.id();
  for (std::uint32_t left = in.u32(); left > 0; --left) {
    const ObjectId id = in.id();
    Evaluation evaluation = Evaluation::parse(as_bytes(in.sized_text()), "catalog");
    const bool has_key = in.u8() != 0;
    out.second.push_back({id, std::move(evaluation), get_verification(in, has_key)});
  }
  in.expect_end();
  return out;
}

}  // namespace

EvaluationTable::EvaluationTable(const Repository& repository, CatalogFile* file, const ObjectId& trust) {
  const ObjectId packs = digest_of(repository.store().packs());
  std::pair<ObjectId, std::vector<CheckedEvaluation>> known;
  if (file != nullptr) {
    if (const auto row = file->find(Kind::evaluations, trust, kKey)) known = decode(*row);
  }
  if (known.first == packs) {
    all_ = std::move(known.second);
  } else {
    std::unordered_map<ObjectId, const CheckedEvaluation*> good;  // a signature may have come to any other
    for (const CheckedEvaluation& each : known.second) {
      if (each.signature.verdict == Verdict::good) good.emplace(each.id, &each);
    }
    repository.store().for_each(ObjectKind::evaluation, [&](const ObjectEntry& entry) {
      const auto found = good.find(entry.id);
      try {
        all_.push_back(found != good.end() ? *found->second : check_evaluation(repository, entry.id));
      } catch (const Error& error) {
        if (error.code() == ErrorCode::io) throw;  // a damaged one shows nothing: `dstore fsck` tells
      }
    });
    sort_newest_first(all_);
    if (file != nullptr) file->put(Kind::evaluations, trust, kKey, encode(packs, all_));
  }
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].evaluation.commit) places_.emplace(*all_[i].evaluation.commit, i);
  }
}

std::vector<CheckedEvaluation> EvaluationTable::of(const ObjectId& commit) const {
  std::vector<std::size_t> places;
  const auto [first, last] = places_.equal_range(commit);
  for (auto at = first; at != last; ++at) places.push_back(at->second);
  std::sort(places.begin(), places.end());
  std::vector<CheckedEvaluation> out;
  for (const std::size_t place : places) out.push_back(all_[place]);
  return out;
}

}  // namespace dstore
