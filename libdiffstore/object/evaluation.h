#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "dstore/id.h"

namespace dstore {

/// The content of an object of kind `evaluation`: what one measurement of a model on one file of data gave, as canonical JSON
/// (spec/objects.md, "evaluation"). Its bytes are what is signed.
struct Evaluation {
  struct Value {
    std::string metric;
    std::string value;  ///< value_text()
    friend bool operator==(const Value&, const Value&) = default;
  };
  static constexpr std::size_t kMaxSize = 1 << 16;

  std::optional<ObjectId> commit;  ///< whose model it is; nullopt for one that is computed from several commits
  std::vector<ObjectId> commits;   ///< all that `revision` names, sorted, each once
  std::string revision;            ///< with the ids of its commits: "ID", "ID+ID", "ID+0.5*ID - ID"
  std::string data;                ///< what the file was called, for a person; may be empty
  ObjectId data_sha256;
  std::string split;
  std::int64_t n = 0;              ///< examples, 1 or more
  std::vector<Value> metrics;      ///< at least one, none twice; the one that counts first
  std::map<std::string, std::string> environment;
  std::string evaluator;           ///< "Ada <ada@example.org>"
  std::int64_t time = 0;           ///< seconds since 1970, UTC

  /// Error{invalid_argument} for what parse() refuses.
  std::string serialize() const;
  static Evaluation parse(ByteSpan bytes, std::string_view what);

  /// Shortest decimal that reads back as `value`. Error{invalid_argument}, naming `metric`, for NaN, infinity and beyond 2^53.
  static std::string value_text(double value, std::string_view metric);
};

}  // namespace dstore
