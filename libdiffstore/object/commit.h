#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"

namespace dstore {

/// A number measured when the commit was made, e.g. {"test", "accuracy", "0.7512", 5000, digest of the data}.
struct Metric {
  std::string split;
  std::string name;
  std::string value;
  std::int64_t n = 0;
  std::string data_sha256;

  friend bool operator==(const Metric&, const Metric&) = default;
};

/// The content of an object of kind `commit`: canonical JSON (spec/objects.md, "commit"). Its bytes are what is signed.
struct Commit {
  ObjectId checkpoint;                ///< the result
  std::optional<ObjectId> delta;      ///< a task: how the result comes from a base
  std::optional<ObjectId> base;       ///< a task: the commit of that base
  std::optional<ObjectId> adapter;    ///< a task that was committed from an adapter's folder: the checkpoint of that folder
  std::vector<ObjectId> parents;      ///< history
  std::vector<ObjectId> derived_from; ///< merged, sparsified, transferred or staged from
  std::string author;
  std::int64_t time = 0;  ///< seconds since 1970, UTC
  std::string message;
  std::map<std::string, std::string> training;  ///< facts: method, density, seed, ...
  std::vector<Metric> metrics;

  std::string serialize() const;
  static Commit parse(ByteSpan bytes, std::string_view what);

  bool is_task() const { return delta.has_value(); }
  std::string subject() const { return message.substr(0, message.find('\n')); }
  /// Empty if there is no such fact.
  std::string fact(std::string_view key) const;
};

}  // namespace dstore
