#include <algorithm>
#include <cmath>
#include <functional>

#include "base/scratch.h"
#include "catch.h"
#include "object/checkpoint_table.h"
#include "object/chunked.h"
#include "object/commit.h"
#include "object/delta_table.h"
#include "object/evaluation.h"
#include "object/samples.h"
#include "object/weights_table.h"

namespace dstore::test {
namespace {

const ObjectId kId = object_id(ObjectKind::tensor, as_bytes("x"));

/// A weights table written field by field, so that it can be wrong.
Bytes raw_weights(const std::vector<std::string>& names) {
  Writer out;
  std::string text;
  for (const std::string& name : names) text += name;
  out.u32(1);
  out.u32(static_cast<std::uint32_t>(names.size()));
  out.u32(static_cast<std::uint32_t>(text.size()));
  std::uint32_t at = 0;
  for (const std::string& name : names) {
    out.u32(at);
    out.u32(static_cast<std::uint32_t>(name.size()));
    out.id(kId);
    at += static_cast<std::uint32_t>(name.size());
  }
  out.text(text);
  return out.take();
}

Bytes raw_checkpoint(const std::vector<std::string>& shards, const std::vector<std::string>& files) {
  Writer records;
  std::string text;
  for (const auto* list : {&shards, &files}) {
    for (const std::string& path : *list) {
      records.u32(static_cast<std::uint32_t>(text.size()));
      records.u32(static_cast<std::uint32_t>(path.size()));
      text += path;
      records.id(kId);
      if (list == &shards) {
        records.u64(8);
        records.id(kId);
      }
    }
  }
  Writer out;
  out.u32(1);
  out.u32(static_cast<std::uint32_t>(shards.size()));
  out.u32(static_cast<std::uint32_t>(files.size()));
  out.u32(static_cast<std::uint32_t>(text.size()));
  out.id(kId);
  out.bytes(records.data());
  out.text(text);
  return out.take();
}

std::optional<ErrorCode> weights_error(const std::vector<std::string>& names) {
  return error_of([&] { WeightsTable::parse(raw_weights(names), "test"); });
}
std::optional<ErrorCode> checkpoint_error(const std::vector<std::string>& shards, const std::vector<std::string>& files) {
  return error_of([&] { CheckpointTable::parse(raw_checkpoint(shards, files), "test"); });
}

TEST_CASE("weights with names that no tensor may have are refused") {
  CHECK(weights_error({"a", "b"}) == std::nullopt);
  CHECK(weights_error({}) == std::nullopt);
  CHECK(weights_error({"b", "a"}) == ErrorCode::corrupt);
  CHECK(weights_error({"a", "a"}) == ErrorCode::corrupt);
  for (const char* bad : {"", "\xff", "\n", "\x1b[2J", "\x7f", "__metadata__"}) CHECK(weights_error({bad}) == ErrorCode::corrupt);
  CHECK(weights_error({std::string(1024, 'n')}) == std::nullopt);
  CHECK(weights_error({std::string(1025, 'n')}) == ErrorCode::corrupt);
  for (const char* bad : {"", "\xff", "__metadata__"}) {
    WeightsTable table;
    table.rows = {{bad, kId}};
    CHECK(error_of([&] { table.serialize(); }) == ErrorCode::invalid_argument);
  }
  WeightsTable twice;
  twice.rows = {{"a", kId}, {"a", kId}};
  CHECK(error_of([&] { twice.serialize(); }) == ErrorCode::invalid_argument);
}

TEST_CASE("counts that the bytes cannot hold are refused without taking memory") {
  for (const std::uint32_t count : {2u, 0x10000000u, 0xffffffffu}) {
    Bytes bytes = raw_weights({"a"});
    std::memcpy(bytes.data() + 4, &count, 4);
    CHECK(error_of([&] { WeightsTable::parse(bytes, "test"); }) == ErrorCode::corrupt);
    Bytes table = raw_checkpoint({"a"}, {"b"});
    std::memcpy(table.data() + 8, &count, 4);
    CHECK(error_of([&] { CheckpointTable::parse(table, "test"); }) == ErrorCode::corrupt);
  }
}

TEST_CASE("a checkpoint cannot write outside its folder, or where git and dstore look") {
  CHECK(checkpoint_error({"a.safetensors"}, {"x", "x.d/y", "z"}) == std::nullopt);
  for (const char* bad : {"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a\\b", "a\nb", "\xff", ".git/hooks/post-checkout", "sub/.git/config",
                          ".GIT/config", ".dstore/config", ".dstore-checkout", ".dstore-intent", ".dstore-tmp-1"}) {
    INFO(bad);
    CHECK(checkpoint_error({}, {bad}) == ErrorCode::corrupt);
    CHECK(checkpoint_error({bad}, {}) == ErrorCode::corrupt);
    CheckpointTable table;
    table.files = {{bad, kId}};
    CHECK(error_of([&] { table.serialize(); }) == ErrorCode::invalid_argument);
  }
}

TEST_CASE("a checkpoint has each path once, and no path under another") {
  CHECK(checkpoint_error({"a", "a"}, {}) == ErrorCode::corrupt);
  CHECK(checkpoint_error({"a"}, {"a"}) == ErrorCode::corrupt);
  CHECK(checkpoint_error({}, {"b", "a"}) == ErrorCode::corrupt);
  CHECK(checkpoint_error({"a"}, {"a/b"}) == ErrorCode::corrupt);
  CHECK(checkpoint_error({"a/b/c"}, {"a/b"}) == ErrorCode::corrupt);
  CHECK(checkpoint_error({"a/b/c"}, {"a/d"}) == std::nullopt);
}

TEST_CASE("tensors of impossible size are refused") {
  const auto raw = [](std::uint8_t dtype, const std::vector<std::uint64_t>& shape, std::size_t chunks, std::uint8_t reserved = 0) {
    Writer out;
    out.u8(1);
    out.u8(dtype);
    out.u8(static_cast<std::uint8_t>(shape.size()));
    out.u8(reserved);
    for (const std::uint64_t n : shape) out.u64(n);
    for (std::size_t i = 0; i < chunks; ++i) out.id(kId);
    return error_of([&] { TensorObject::parse(out.data(), "test"); });
  };
  const std::uint64_t top = ~std::uint64_t{0};
  CHECK(raw(12, {2}, 1) == std::nullopt);
  CHECK(raw(12, {2}, 0) == ErrorCode::corrupt);
  CHECK(raw(12, {2}, 2) == ErrorCode::corrupt);
  CHECK(raw(12, {0}, 1) == ErrorCode::corrupt);
  CHECK(raw(12, {2}, 1, 1) == ErrorCode::corrupt);
  CHECK(raw(12, {top, 2}, 1) == ErrorCode::corrupt);
  CHECK(raw(12, {top}, 1) == ErrorCode::corrupt);
  CHECK(raw(12, {1ull << 59}, 1) == ErrorCode::corrupt);
  CHECK(raw(22, {1}, 1) == ErrorCode::corrupt);  // half a byte
  CHECK(raw(0, {2}, 1) == ErrorCode::unsupported);
  CHECK(raw(23, {2}, 1) == ErrorCode::unsupported);
  CHECK(raw(2, std::vector<std::uint64_t>(64, 1), 1) == std::nullopt);
  CHECK(raw(2, std::vector<std::uint64_t>(65, 1), 1) == ErrorCode::corrupt);
}

TEST_CASE("files of impossible size are refused") {
  Writer out;
  out.u64(~std::uint64_t{0});
  out.id(kId);
  CHECK(error_of([&] { FileObject::parse(out.data(), "test"); }) == ErrorCode::corrupt);
}

TEST_CASE("an evaluation is written only as one that is read") {
  Evaluation good;
  good.commit = kId;
  good.commits = {kId};
  good.revision = kId.hex();
  good.data_sha256 = kId;
  good.split = "test";
  good.n = 1;
  good.metrics = {{"accuracy", "0.5"}, {"loss", "1.25e-05"}};
  CHECK(Evaluation::parse(as_bytes(good.serialize()), "test").metrics == good.metrics);
  const std::function<void(Evaluation&)> wrongs[] = {
      [](Evaluation& e) { e.commits.clear(); },          [](Evaluation& e) { e.commits.push_back(kId); },     [](Evaluation& e) { e.commits = {ObjectId()}; },
      [](Evaluation& e) { e.commit = ObjectId(); },      [](Evaluation& e) { e.revision.clear(); },           [](Evaluation& e) { e.split.clear(); },
      [](Evaluation& e) { e.data_sha256 = ObjectId(); }, [](Evaluation& e) { e.n = 0; },                      [](Evaluation& e) { e.time = -1; },
      [](Evaluation& e) { e.metrics.clear(); },          [](Evaluation& e) { e.metrics[1].metric = "accuracy"; }, [](Evaluation& e) { e.metrics[0].metric.clear(); },
      [](Evaluation& e) { e.metrics[0].value = "0.50"; }, [](Evaluation& e) { e.metrics[0].value = "nan"; },
      [](Evaluation& e) { e.environment["x"] = std::string(Evaluation::kMaxSize, 'y'); }};
  for (const auto& wrong : wrongs) {
    Evaluation bad = good;
    wrong(bad);
    CHECK(error_of([&] { bad.serialize(); }) == ErrorCode::invalid_argument);
  }
}

TEST_CASE("a metric's value is the shortest decimal, and what is no number is refused") {
  for (const auto& [value, text] : std::initializer_list<std::pair<double, const char*>>{
           {0, "0"}, {-0.0, "0"}, {0.1 + 0.2, "0.30000000000000004"}, {1e5, "1e+05"}, {1e-4, "1e-04"}, {0.001, "0.001"}, {9007199254740991, "9007199254740991"}}) {
    CHECK(Evaluation::value_text(value, "m") == text);
  }
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL, 9007199254740992.0, 1e300}) {
    CHECK(error_of([&] { Evaluation::value_text(bad, "m"); }) == ErrorCode::invalid_argument);
  }
}

std::optional<ErrorCode> delta_error(std::vector<DeltaTable::Change> changes) {
  DeltaTable table;
  table.base_weights = table.result_weights = kId;
  table.segments = {kId};
  table.changes = std::move(changes);
  const Bytes bytes = table.serialize();
  return error_of([&] { DeltaTable::parse(bytes, "test"); });
}

TEST_CASE("a delta's changes have the fields of their operation and no others") {
  using enum DeltaOp;
  const ObjectId none;
  CHECK(delta_error({{add, "a", "", 0, 0, 0, kId}, {rename, "b", "c", 0, 0, 0, none}, {modify, "d", "", 0, 3, 2, kId}, {remove, "e", "", 0, 0, 0, none}}) == std::nullopt);
  CHECK(delta_error({{modify, "d", "e", 0, 0, 1, kId}}) == std::nullopt);
  const DeltaTable::Change wrong[] = {
      {add, "a", "b", 0, 0, 0, kId},      {add, "a", "", 0, 0, 0, none},     {add, "a", "", 0, 0, 1, kId},      {add, "a", "", 0, 1, 0, kId},
      {remove, "a", "b", 0, 0, 0, none},  {remove, "a", "", 0, 0, 0, kId},   {remove, "a", "", 0, 0, 1, none},  {rename, "a", "", 0, 0, 0, none},
      {rename, "a", "a", 0, 0, 0, none},  {rename, "a", "b", 0, 0, 0, kId},  {rename, "a", "b", 0, 0, 1, none}, {modify, "a", "a", 0, 0, 1, kId},
      {modify, "a", "", 0, 0, 0, kId},    {modify, "a", "", 1, 0, 1, kId},   {modify, "a", "", 0, 0, 1, none},  {modify, "", "", 0, 0, 1, kId},
      {modify, "a", "\n", 0, 0, 1, kId},  {add, "__metadata__", "", 0, 0, 0, kId},
  };
  for (const DeltaTable::Change& change : wrong) {
    INFO(static_cast<int>(change.op) << " " << change.name << " " << change.base_name);
    CHECK(delta_error({change}) == ErrorCode::corrupt);
  }
}

TEST_CASE("conversions and factors stand in their tables, and wrong ones are refused") {
  using enum DeltaOp;
  const ObjectId none;
  const DeltaTable::Change grown{convert, "a", "", 0, 0, 0, kId, DeltaTable::Convert{DType::bf16, 7}, {}};
  const DeltaTable::Change adapted{low_rank, "b", "c", 0, 2, 3, kId, {}, DeltaTable::LowRank{kId, kId, 0.5f}};
  DeltaTable table;
  table.base_weights = table.result_weights = kId;
  table.segments = {kId};
  table.changes = {adapted, grown};
  const Bytes bytes = table.serialize();
  const DeltaTable back = DeltaTable::parse(bytes, "test");
  CHECK(back.changes[0].convert->dtype == DType::bf16);
  CHECK(back.changes[0].convert->rows == 7);
  CHECK(back.changes[1].low_rank->scale == 0.5f);
  CHECK(back.changes[1].pieces == 3);
  CHECK(DeltaTable(back).serialize() == bytes);
  CHECK(back.stored_tensors() == std::vector<ObjectId>{kId, kId});

  DeltaTable::Change wrong = grown;
  wrong.segment = 1;
  CHECK(delta_error({wrong}) == ErrorCode::corrupt);
  wrong = grown;
  wrong.tensor = none;
  CHECK(delta_error({wrong}) == ErrorCode::corrupt);
  wrong = adapted;
  wrong.low_rank->a = none;
  CHECK(delta_error({wrong}) == ErrorCode::corrupt);
  for (const float scale : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    wrong = adapted;
    wrong.low_rank->scale = scale;
    CHECK(delta_error({wrong}) == ErrorCode::corrupt);
  }
  CHECK(delta_error({{modify, "a", "", 0, 0, 1, kId}, grown}) == ErrorCode::corrupt);
  CHECK(delta_error({adapted, {rename, "d", "c", 0, 0, 0, none}}) == ErrorCode::corrupt);

  const std::size_t changes = 84 + 32, conversion = changes + 2 * 64, factors = conversion + 16;
  const auto with_byte = [&](std::size_t at, unsigned char value) {
    Bytes damaged = bytes;
    damaged.at(at) = static_cast<std::byte>(value);
    return error_of([&] { DeltaTable::parse(damaged, "test"); });
  };
  CHECK(with_byte(conversion, 99) == ErrorCode::unsupported);
  CHECK(with_byte(conversion + 1, 1) == ErrorCode::corrupt);
  CHECK(with_byte(conversion + 7, 1) == ErrorCode::corrupt);
  CHECK(with_byte(factors + 71, 1) == ErrorCode::corrupt);
  CHECK(with_byte(changes, 7) == ErrorCode::corrupt);             // the tables no longer have their sizes
  CHECK(delta_error({{static_cast<DeltaOp>(9), "a", "", 0, 0, 0, kId}}) == ErrorCode::unsupported);
}

TEST_CASE("a delta takes each base tensor once and gives each result tensor once") {
  using enum DeltaOp;
  const ObjectId none;
  CHECK(delta_error({{remove, "a", "", 0, 0, 0, none}, {rename, "a", "b", 0, 0, 0, none}}) == std::nullopt);  // b takes a's place
  CHECK(delta_error({{rename, "a", "b", 0, 0, 0, none}, {rename, "b", "a", 0, 0, 0, none}}) == std::nullopt);  // they swap
  CHECK(delta_error({{add, "a", "", 0, 0, 0, kId}, {rename, "b", "a", 0, 0, 0, none}}) == std::nullopt);      // a moves, another a comes
  CHECK(delta_error({{rename, "a", "c", 0, 0, 0, none}, {rename, "b", "c", 0, 0, 0, none}}) == ErrorCode::corrupt);
  CHECK(delta_error({{remove, "c", "", 0, 0, 0, none}, {rename, "b", "c", 0, 0, 0, none}}) == ErrorCode::corrupt);
  CHECK(delta_error({{modify, "c", "", 0, 0, 1, kId}, {rename, "b", "c", 0, 0, 0, none}}) == ErrorCode::corrupt);
  CHECK(delta_error({{add, "a", "", 0, 0, 0, kId}, {modify, "a", "", 0, 0, 1, kId}}) == ErrorCode::corrupt);
  CHECK(delta_error({{add, "a", "", 0, 0, 0, kId}, {remove, "a", "", 0, 0, 0, none}}) == ErrorCode::corrupt);
  CHECK(delta_error({{add, "a", "", 0, 0, 0, kId}, {add, "a", "", 0, 0, 0, kId}}) == ErrorCode::corrupt);
}

TEST_CASE("commits with missing, unknown or contradicting members are refused") {
  const std::vector<Sample> all = samples();
  const std::string good(as_text(std::find_if(all.begin(), all.end(), [](const Sample& sample) { return sample.kind == ObjectKind::commit; })->bytes));
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    return error_of([&] { Commit::parse(as_bytes(text), "test"); });
  };
  CHECK(with("\"v\":1", "\"v\":1") == std::nullopt);
  CHECK(with("\"v\":1", "\"v\":2") == ErrorCode::unsupported);
  CHECK(with("\"v\":1", "\"v\":\"1\"") == ErrorCode::corrupt);
  CHECK(with("\"v\":1", "\"v\":1,\"w\":2") == ErrorCode::corrupt);
  CHECK(with("\"parents\":[],", "") == ErrorCode::corrupt);
  CHECK(with("\"parents\":[]", "\"parents\":[\"xyz\"]") == ErrorCode::corrupt);
  CHECK(with("\"parents\":[]", "\"parents\":{}") == ErrorCode::corrupt);
  CHECK(with("\"training\":{}", "\"training\":{\"a\":1}") == ErrorCode::corrupt);
  CHECK(with("\"time\":1700000000", "\"time\":-1") == ErrorCode::corrupt);
  CHECK(with("\"metrics\":[]", "\"metrics\":[{}]") == ErrorCode::corrupt);
  CHECK(with("\"metrics\":[]", "\"metrics\":[1]") == ErrorCode::corrupt);
  CHECK(with("\"derived_from\"", "\"delta\":\"" + kId.hex() + "\",\"derived_from\"") == ErrorCode::corrupt);
  CHECK(with("{", "{\"base\":\"" + kId.hex() + "\",") == ErrorCode::corrupt);
}

}  // namespace
}  // namespace dstore::test
