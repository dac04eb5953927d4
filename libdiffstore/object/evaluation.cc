#include "object/evaluation.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/decimal.h"
#include "base/json.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr double kLimit = 9007199254740992;  // 2^53: below it the shortest decimal has one form

bool is_exact(const std::string& text) {
  const auto value = parse_number(text);
  return value && std::abs(*value) < kLimit && text != "-0" && shortest_decimal(*value) == text;
}

/// What is wrong with it; empty if nothing is.
std::string problem(const Evaluation& evaluation) {
  const auto& commits = evaluation.commits;
  const bool increasing = std::adjacent_find(commits.begin(), commits.end(), std::greater_equal<>()) == commits.end();
  if (commits.empty() || commits.front().is_none() || !increasing) return "its commits are none, or not sorted";
  if (evaluation.commit && !std::binary_search(commits.begin(), commits.end(), *evaluation.commit)) return "its commit is not among its commits";
  if (evaluation.revision.empty() || evaluation.split.empty()) return "it has no revision, or no split";
  if (evaluation.data_sha256.is_none()) return "it has no digest of its data";
  if (evaluation.n < 1 || evaluation.time < 0) return "it has no examples, or a time before 1970";
  if (evaluation.metrics.empty()) return "it has no metric";
  std::set<std::string_view> names;
  for (const Evaluation::Value& each : evaluation.metrics) {
    if (each.metric.empty() || !names.insert(each.metric).second) return "a metric has no name, or is there twice";
    if (!is_exact(each.value)) return "metric " + printable(each.metric) + ": \"" + printable(each.value) + "\" is not the shortest decimal of a number";
  }
  return "";
}

std::string text_of(const Evaluation& evaluation) {
  Json json, environment;
  Json::Array commits, metrics;
  for (const ObjectId& id : evaluation.commits) commits.emplace_back(id.hex());
  for (const auto& [metric, value] : evaluation.metrics) {
    Json row;
    row.set("metric", metric);
    row.set("value", value);
    metrics.push_back(std::move(row));
  }
  for (const auto& [key, value] : evaluation.environment) environment.set(key, value);
  if (evaluation.commit) json.set("commit", evaluation.commit->hex());
  json.set("commits", Json(std::move(commits)));
  json.set("data", evaluation.data);
  json.set("data_sha256", evaluation.data_sha256.hex());
  json.set("environment", std::move(environment));
  json.set("evaluator", evaluation.evaluator);
  json.set("metrics", Json(std::move(metrics)));
  json.set("n", evaluation.n);
  json.set("revision", evaluation.revision);
  json.set("split", evaluation.split);
  json.set("time", evaluation.time);
  json.set("v", kVersion);
  return json.serialize();
}

}  // namespace

std::string Evaluation::serialize() const {
  if (const std::string wrong = problem(*this); !wrong.empty()) throw Error(ErrorCode::invalid_argument, "evaluation: " + wrong);
  std::string text = text_of(*this);
  if (text.size() > kMaxSize) throw Error(ErrorCode::invalid_argument, "evaluation: more than 65,536 bytes; record fewer metrics or facts");
  return text;
}

Evaluation Evaluation::parse(ByteSpan bytes, std::string_view what) {
  const auto fail = [&](const std::string& message) { throw Error(ErrorCode::corrupt, std::string(what) + ": " + message); };
  if (bytes.size() > kMaxSize) fail("more than 65,536 bytes");
  const Json json = Json::parse(as_text(bytes), what);
  if (json.at("v").integer() != kVersion) throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  Evaluation out;
  if (const Json* id = json.find("commit")) out.commit = ObjectId::parse(id->string(), what);
  for (const Json& id : json.at("commits").array()) out.commits.push_back(ObjectId::parse(id.string(), what));
  out.data = json.at("data").string();
  out.data_sha256 = ObjectId::parse(json.at("data_sha256").string(), what);
  for (const auto& [key, value] : json.at("environment").object()) out.environment.emplace(key, value.string());
  out.evaluator = json.at("evaluator").string();
  for (const Json& row : json.at("metrics").array()) out.metrics.push_back({row.at("metric").string(), row.at("value").string()});
  out.n = json.at("n").integer();
  out.revision = json.at("revision").string();
  out.split = json.at("split").string();
  out.time = json.at("time").integer();
  if (const std::string wrong = problem(out); !wrong.empty()) fail(wrong);
  if (text_of(out) != as_text(bytes)) fail("has members that an evaluation of its version does not have");
  return out;
}

std::string Evaluation::value_text(double value, std::string_view metric) {
  if (!std::isfinite(value) || std::abs(value) >= kLimit) {
    throw Error(ErrorCode::invalid_argument, "metric " + printable(metric) + " is " + shortest_decimal(value) + ", which is no number to record; look at the model and the data");
  }
  return shortest_decimal(value == 0 ? 0 : value);
}

}  // namespace dstore
