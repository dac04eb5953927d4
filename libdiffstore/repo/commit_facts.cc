#include "repo/commit_facts.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <ranges>

#include "base/decimal.h"
#include "repo/model_files.h"

namespace dstore {
namespace {

enum Flag : std::uint8_t { kIsTask = 1, kHasKey = 2, kHasDensity = 4, kHasAdapter = 8 };

void put_ids(Writer& out, const std::vector<ObjectId>& ids) {
  out.u32(static_cast<std::uint32_t>(ids.size()));
  for (const ObjectId& id : ids) out.id(id);
}

std::vector<ObjectId> get_ids(Reader& in) {
  std::vector<ObjectId> ids;
  for (std::uint32_t left = in.u32(); left > 0; --left) ids.push_back(in.id());
  return ids;
}

void put_commit(Writer& out, const Commit& commit) {
  out.u64(static_cast<std::uint64_t>(commit.time));
  put_ids(out, commit.parents);
  out.id(commit.checkpoint);
  if (commit.is_task()) {
    out.id(*commit.delta);
    out.id(*commit.base);
  }
  if (commit.adapter) out.id(*commit.adapter);
  put_ids(out, commit.derived_from);
  out.sized_text(commit.author);
  out.sized_text(commit.message);
  out.u32(static_cast<std::uint32_t>(commit.training.size()));
  for (const auto& [key, value] : commit.training) {
    out.sized_text(key);
    out.sized_text(value);
  }
  out.u32(static_cast<std::uint32_t>(commit.metrics.size()));
  for (const Metric& metric : commit.metrics) {
    for (const std::string* text : {&metric.split, &metric.name, &metric.value, &metric.data_sha256}) out.sized_text(*text);
    out.u64(static_cast<std::uint64_t>(metric.n));
  }
}

Commit get_commit(Reader& in, std::uint8_t flags) {
  Commit commit;
  commit.time = static_cast<std::int64_t>(in.u64());
  commit.parents = get_ids(in);
  commit.checkpoint = in.id();
  if ((flags & kIsTask) != 0) {
    commit.delta = in.id();
    commit.base = in.id();
  }
  if ((flags & kHasAdapter) != 0) commit.adapter = in.id();
  commit.derived_from = get_ids(in);
  commit.author = in.sized_text();
  commit.message = in.sized_text();
  for (std::uint32_t left = in.u32(); left > 0; --left) {
    std::string key(in.sized_text());
    commit.training.emplace_hint(commit.training.end(), std::move(key), in.sized_text());
  }
  for (std::uint32_t left = in.u32(); left > 0; --left) {
    Metric metric;
    for (std::string* text : {&metric.split, &metric.name, &metric.value, &metric.data_sha256}) *text = in.sized_text();
    metric.n = static_cast<std::int64_t>(in.u64());
    commit.metrics.push_back(std::move(metric));
  }
  return commit;
}

/// The numbers of one that counts.
void add_metrics(const CheckedEvaluation& checked, std::vector<Metric>& out) {
  const Evaluation& evaluation = checked.evaluation;
  if (!checked.counts()) return;
  for (const auto& [name, value] : evaluation.metrics) out.push_back({evaluation.split, name, value, evaluation.n, evaluation.data_sha256.hex()});
}

/// What was measured again stands in its place.
const Metric* newest(const CommitFacts& facts, const Metric& own) {
  for (const Metric& metric : facts.evaluated) {
    if (metric.split == own.split && metric.name == own.name && metric.data_sha256 == own.data_sha256) return &metric;
  }
  return &own;
}

/// Its own first, then those of the newest evaluations.
template <typename Range>
const Metric* find_metric(const CommitFacts& facts, const Range& own, const std::function<bool(const Metric&)>& wanted) {
  const auto found = std::find_if(own.begin(), own.end(), wanted);
  if (found != own.end()) return newest(facts, *found);
  const auto measured = std::find_if(facts.evaluated.begin(), facts.evaluated.end(), wanted);
  return measured == facts.evaluated.end() ? nullptr : &*measured;
}

}  // namespace

void put_verification(Writer& out, const Verification& signature) {
  out.u8(static_cast<std::uint8_t>(signature.verdict));
  if (signature.key) out.bytes(signature.key->point);
  out.sized_text(signature.principal);
  out.sized_text(signature.reason);
}

Verification get_verification(Reader& in, bool has_key) {
  Verification out;
  const std::uint8_t verdict = in.u8();
  if (verdict > static_cast<std::uint8_t>(Verdict::unsigned_)) in.fail("no such verdict");
  out.verdict = static_cast<Verdict>(verdict);
  if (has_key) {
    const ByteSpan point = in.bytes(ObjectId::kSize);
    std::copy(point.begin(), point.end(), out.key.emplace().point.begin());
  }
  out.principal = in.sized_text();
  out.reason = in.sized_text();
  return out;
}

void set_evaluations(CommitFacts& facts, std::vector<CheckedEvaluation> evaluations) {
  facts.evaluations = std::move(evaluations);
  facts.evaluated.clear();
  for (const CheckedEvaluation& each : facts.evaluations) add_metrics(each, facts.evaluated);
}

void read_evaluations(const Repository& repository, CommitFacts& facts) {
  std::vector<CheckedEvaluation> all = evaluations_of(repository, facts.id);
  std::erase_if(all, [&](const CheckedEvaluation& each) { return each.evaluation.commit != facts.id; });
  set_evaluations(facts, std::move(all));
}

CommitFacts read_facts(const Repository& repository, CommitSizer& sizer, CheckedCommit checked) {
  CommitFacts facts;
  facts.id = checked.id;
  facts.sizes = sizer.sizes(checked.id, checked.commit);
  facts.density = task_density(repository, sizer, checked.id, checked.commit);
  const bool forgotten = sizer.is_forgotten(checked.id);
  if (!forgotten) facts.weights = read_checkpoint(repository, checked.commit).weights;
  if (!forgotten && checked.commit.is_task()) facts.base_weights = read_delta(repository, checked.commit).base_weights;
  facts.commit = std::move(checked.commit);
  facts.signature = std::move(checked.signature);
  return facts;
}

CommitFacts read_facts(const Repository& repository, CommitSizer& sizer, const ObjectId& id) {
  return read_facts(repository, sizer, repository.check_commit(id));
}

Bytes encode_facts(const CommitFacts& facts) {
  Writer out;
  out.u8(static_cast<std::uint8_t>((facts.is_task() ? kIsTask : 0) | (facts.signature.key ? kHasKey : 0) | (facts.density ? kHasDensity : 0) |
                                   (facts.commit.adapter ? kHasAdapter : 0)));
  put_commit(out, facts.commit);
  put_verification(out, facts.signature);
  out.id(facts.weights);
  out.id(facts.base_weights);
  const CommitSizes& sizes = facts.sizes;
  for (const std::uint64_t size : {sizes.delta, sizes.added, sizes.files, sizes.records, sizes.checkpoint}) out.u64(size);
  if (facts.density) out.u64(std::bit_cast<std::uint64_t>(*facts.density));
  return out.take();
}

CommitFacts decode_facts(const ObjectId& id, ByteSpan bytes) {
  Reader in(bytes, "catalog");
  CommitFacts facts;
  facts.id = id;
  const std::uint8_t flags = in.u8();
  facts.commit = get_commit(in, flags);
  facts.signature = get_verification(in, (flags & kHasKey) != 0);
  facts.weights = in.id_or_none();
  facts.base_weights = in.id_or_none();
  CommitSizes& sizes = facts.sizes;
  for (std::uint64_t* size : {&sizes.delta, &sizes.added, &sizes.files, &sizes.records, &sizes.checkpoint}) *size = in.u64();
  if ((flags & kHasDensity) != 0) facts.density = std::bit_cast<double>(in.u64());
  in.expect_end();
  return facts;
}

CommitLink decode_link(ByteSpan bytes) {
  Reader in(bytes, "catalog");
  in.u8();
  const auto time = static_cast<std::int64_t>(in.u64());
  return {time, get_ids(in)};
}

const Metric* headline_metric(const CommitFacts& facts) {
  for (const std::string_view split : {"test", "dev", ""}) {
    const auto wanted = [&](const Metric& metric) { return split.empty() || metric.split == split; };
    if (const Metric* found = find_metric(facts, facts.commit.metrics, wanted)) return found;
  }
  return nullptr;
}

std::optional<double> metric_value(const CommitFacts& facts, std::string_view name, std::string_view wanted) {
  const auto splits = wanted.empty() ? std::vector<std::string_view>{"test", "dev", ""} : std::vector<std::string_view>{wanted};
  const auto last_first = std::views::reverse(facts.commit.metrics);
  for (const std::string_view split : splits) {
    const auto fits = [&](const Metric& metric) { return metric.name == name && (split.empty() || metric.split == split); };
    if (const Metric* found = find_metric(facts, last_first, fits)) return parse_number(found->value);
  }
  return std::nullopt;
}

std::vector<Metric> all_metrics(const CommitFacts& facts) {
  std::vector<Metric> out = facts.commit.metrics;
  for (const CheckedEvaluation& each : std::views::reverse(facts.evaluations)) add_metrics(each, out);
  return out;
}

std::string method_of(const Commit& commit) {
  if (!commit.is_task()) return "base";
  const std::string method = commit.fact("method");
  return method.empty() ? "folder" : method;
}

}  // namespace dstore
