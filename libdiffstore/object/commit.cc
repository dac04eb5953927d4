#include "object/commit.h"

#include "dstore/error.h"

namespace dstore {
namespace {

/// Commits without an adapter are as they were before there were any.
constexpr std::int64_t kVersion = 1, kAdapterVersion = 2;

Json id_list(const std::vector<ObjectId>& ids) {
  Json::Array out;
  for (const ObjectId& id : ids) out.emplace_back(id.hex());
  return Json(std::move(out));
}

std::vector<ObjectId> parse_ids(const Json& list, std::string_view what) {
  std::vector<ObjectId> ids;
  for (const Json& item : list.array()) ids.push_back(ObjectId::parse(item.string(), what));
  return ids;
}

Metric parse_metric(const Json& json) {
  return {json.at("split").string(), json.at("metric").string(), json.at("value").string(), json.at("n").integer(),
          json.at("data_sha256").string()};
}

}  // namespace

std::string Commit::serialize() const {
  Json json;
  json.set("v", adapter ? kAdapterVersion : kVersion);
  if (adapter) json.set("adapter", adapter->hex());
  json.set("checkpoint", checkpoint.hex());
  if (delta) json.set("delta", delta->hex());
  if (base) json.set("base", base->hex());
  json.set("parents", id_list(parents));
  json.set("derived_from", id_list(derived_from));
  json.set("author", author);
  json.set("time", time);
  json.set("message", message);
  Json facts;
  for (const auto& [key, value] : training) facts.set(key, value);
  json.set("training", std::move(facts));
  Json::Array list;
  for (const Metric& metric : metrics) {
    Json row;
    row.set("split", metric.split);
    row.set("metric", metric.name);
    row.set("value", metric.value);
    row.set("n", metric.n);
    row.set("data_sha256", metric.data_sha256);
    list.push_back(std::move(row));
  }
  json.set("metrics", Json(std::move(list)));
  return json.serialize();
}

Commit Commit::parse(ByteSpan bytes, std::string_view what) {
  const Json json = Json::parse(as_text(bytes), what);
  const std::int64_t version = json.at("v").integer();
  if (version != kVersion && !(version == kAdapterVersion && json.find("adapter"))) throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  Commit commit;
  commit.checkpoint = ObjectId::parse(json.at("checkpoint").string(), what);
  if (const Json* id = json.find("delta")) commit.delta = ObjectId::parse(id->string(), what);
  if (const Json* id = json.find("base")) commit.base = ObjectId::parse(id->string(), what);
  if (const Json* id = json.find("adapter")) commit.adapter = ObjectId::parse(id->string(), what);
  commit.parents = parse_ids(json.at("parents"), what);
  commit.derived_from = parse_ids(json.at("derived_from"), what);
  commit.author = json.at("author").string();
  commit.time = json.at("time").integer();
  if (commit.time < 0) throw Error(ErrorCode::corrupt, std::string(what) + ": a time before 1970");
  commit.message = json.at("message").string();
  for (const auto& [key, value] : json.at("training").object()) commit.training.emplace(key, value.string());
  for (const Json& row : json.at("metrics").array()) commit.metrics.push_back(parse_metric(row));
  if (commit.delta.has_value() != commit.base.has_value()) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": names a delta without its base, or a base without a delta");
  }
  if (commit.adapter && !commit.delta) throw Error(ErrorCode::corrupt, std::string(what) + ": names an adapter and is no task");
  // Members this version does not know would be lost in a rewrite: refuse what serialize() would not give back.
  if (commit.serialize() != as_text(bytes)) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": has members that a commit of its version does not have");
  }
  return commit;
}

std::string Commit::fact(std::string_view key) const {
  const auto it = training.find(std::string(key));
  return it == training.end() ? std::string() : it->second;
}

}  // namespace dstore
