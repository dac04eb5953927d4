// Every file of spec/vectors/manifest.json gives what the manifest says.
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "catch.h"
#include "delta/segment.h"
#include "dstore/error.h"

using namespace dstore;

namespace {

const std::string kFolder = DSTORE_VECTORS;

Bytes read_vector(const std::string& name) {
  std::ifstream in(kFolder + "/" + name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  REQUIRE(in.good());
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

/// "valid" or "invalid".
nlohmann::json rows(const char* kind) { return nlohmann::json::parse(as_text(read_vector("manifest.json")))[kind]; }

/// The file's bytes, repeated.
Bytes base_of(const nlohmann::json& piece) {
  const Bytes pattern = read_vector(piece["base"].get<std::string>());
  Bytes base(piece["bytes"].get<std::size_t>());
  for (std::size_t i = 0; i < base.size(); ++i) base[i] = pattern[i % pattern.size()];
  return base;
}

/// The task of each piece.
std::vector<Bytes> apply(const nlohmann::json& vector) {
  const Bytes segment = read_vector(vector["segment"].get<std::string>());
  const SegmentReader reader(segment, "vector");
  std::vector<Bytes> tasks;
  for (std::size_t i = 0; i < vector["pieces"].size(); ++i) {
    tasks.push_back(base_of(vector["pieces"][i]));
    const PieceInfo& info = reader.pieces().at(i);
    if (info.count != unit_count(info.dtype, tasks.back().size())) throw Error(ErrorCode::corrupt, "a piece that does not fit its tensor");
    reader.apply(i, info.first, tasks.back());
  }
  return tasks;
}

}  // namespace

TEST_CASE("valid vectors give the task that the manifest names") {
  for (const auto& vector : rows("valid")) {
    INFO(vector["segment"].get<std::string>());
    const std::vector<Bytes> tasks = apply(vector);
    for (std::size_t i = 0; i < tasks.size(); ++i) CHECK(sha256(tasks[i]).hex() == vector["pieces"][i]["task_sha256"].get<std::string>());
  }
}

TEST_CASE("invalid vectors are refused as the manifest says") {
  for (const auto& vector : rows("invalid")) {
    INFO(vector["segment"].get<std::string>());
    std::string verdict = "accepted";
    try {
      apply(vector);
    } catch (const Error& error) {
      verdict = error.code() == ErrorCode::corrupt ? "corrupt" : error.code() == ErrorCode::unsupported ? "unsupported" : error.what();
    }
    CHECK(verdict == vector["error"].get<std::string>());
  }
}
