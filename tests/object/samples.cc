#include "object/samples.h"

#include "base/sha256.h"

namespace dstore::test {
namespace {

Bytes copy(ByteSpan bytes) { return {bytes.begin(), bytes.end()}; }

std::string hex(std::string_view text) {
  std::string out;
  for (const char c : text) out += {"0123456789abcdef"[static_cast<unsigned char>(c) >> 4], "0123456789abcdef"[c & 15]};
  return out;
}

const std::string kTensorId = "6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718";
const std::string kWeightsId = "811f428db11c4e78a59d4e0ec80e0954318b60aaebf7d1ddb0883a9fc09c47a0";
const std::string kBaseCommit =
    R"({"author":"Ada <ada@example.org>","checkpoint":"bd9a518566e1d5db478c74552a53832c6e1b324fdd7e5bbaa1a7b15327a25110","derived_from":[],)"
    R"("message":"two numbers","metrics":[],"parents":[],"time":1700000000,"training":{},"v":1})";
const std::string kTaskCommit =
    R"({"author":"Ada <ada@example.org>","base":"c133be54f9ec0eb449ca48fd1c23967978e19d77cc6b3fbd1c2fb8c147322c29",)"
    R"("checkpoint":"bd9a518566e1d5db478c74552a53832c6e1b324fdd7e5bbaa1a7b15327a25110",)"
    R"("delta":"717c98b50d710ef183097793c416ce2a8394187f8ab9cf4f4f7ce638ec42034e","derived_from":[],"message":"a task",)"
    R"("metrics":[{"data_sha256":"3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7","metric":"accuracy","n":5000,"split":"test","value":"0.7512"}],)"
    R"("parents":["c133be54f9ec0eb449ca48fd1c23967978e19d77cc6b3fbd1c2fb8c147322c29"],"time":1700000060,"training":{"method":"bitfit","seed":"7"},"v":1})";

const std::string kEvaluation =
    R"({"commit":"a695d6beb96fbc1b85168b76fef69ee9684299e0d7b06bb9fa547f06273e0072",)"
    R"("commits":["a695d6beb96fbc1b85168b76fef69ee9684299e0d7b06bb9fa547f06273e0072"],"data":"test.tsv",)"
    R"("data_sha256":"3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7",)"
    R"("environment":{"batch":"64","cpu_capability":"AVX2","device":"cpu","dstore":"0.1.0","libtorch":"2.7.0","max_length":"128"},)"
    R"("evaluator":"Ada <ada@example.org>","metrics":[{"metric":"accuracy","value":"0.7512"},{"metric":"macro_f1","value":"0.7498"}],)"
    R"("n":5000,"revision":"a695d6beb96fbc1b85168b76fef69ee9684299e0d7b06bb9fa547f06273e0072","split":"test","time":1700000120,"v":1})";

ObjectId id_of(ObjectKind kind, std::string_view text) { return object_id(kind, as_bytes(text)); }

std::string two_numbers() { return std::string(as_text(from_hex("0000803f000000c0"))); }

CheckpointTable checkpoint() {
  std::string json = R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}    )";
  const std::string header = std::string("\x70\0\0\0\0\0\0\0", 8) + json;
  const std::string whole = header + two_numbers() + two_numbers();
  const FileObject file{header.size(), {id_of(ObjectKind::chunk, header)}};
  const FileObject hello{6, {id_of(ObjectKind::chunk, "hello\n")}};
  CheckpointTable table;
  table.weights = ObjectId::parse(kWeightsId, "");
  table.shards.push_back({"model.safetensors", object_id(ObjectKind::file, file.serialize()), whole.size(), sha256(as_bytes(whole))});
  table.files.push_back({"README.md", object_id(ObjectKind::file, hello.serialize())});
  return table;
}

DeltaTable delta() {
  const ObjectId tensor = ObjectId::parse(kTensorId, ""), modified = id_of(ObjectKind::tensor, "mod");
  WeightsTable result;
  result.rows = {{"b", modified}, {"bert.w", tensor}, {"head", tensor}};
  DeltaTable table;
  table.base_weights = ObjectId::parse(kWeightsId, "");
  table.result_weights = object_id(ObjectKind::weights, result.serialize());
  table.segments.push_back(id_of(ObjectKind::segment, "segment"));
  table.changes.push_back({DeltaOp::add, "head", "", 0, 0, 0, tensor});
  table.changes.push_back({DeltaOp::rename, "bert.w", "w", 0, 0, 0, {}});
  table.changes.push_back({DeltaOp::modify, "b", "", 0, 0, 1, modified});
  return table;
}

WeightsTable weights() {
  WeightsTable table;
  table.rows = {{"w", ObjectId::parse(kTensorId, "")}, {"b", ObjectId::parse(kTensorId, "")}};
  return table;
}

const std::string kDeltaHex =
    "0100000000000000" "811f428db11c4e78a59d4e0ec80e0954318b60aaebf7d1ddb0883a9fc09c47a0"
    "44ed03fe903505c01fa5518e01426e6b6521ecf301ca2b39906add28013eabed" "01000000030000000c000000"
    "3f4c24f1a064f4cf78083d545db4150d1f06756878ed504a223b558d7d77576f"
    "04000000" "0000000001000000" "0100000000000000" "000000000000000001000000" "9de3e75e2050264907646ae3eb5d8b624d210ae2629fe3d7dea7b00345f3efa8"
    "03000000" "0100000006000000" "0700000001000000" "000000000000000000000000" "0000000000000000000000000000000000000000000000000000000000000000"
    "01000000" "0800000004000000" "0c00000000000000" "000000000000000000000000" "6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718"
    "62626572742e777768656164";
const std::string kCheckpointHex =
    "0100000001000000010000001a000000" "811f428db11c4e78a59d4e0ec80e0954318b60aaebf7d1ddb0883a9fc09c47a0"
    "0000000011000000" "b1846a0fca613be22c8243bfc8617de43838b0b8eabd73c6dbe1f526e2866105" "8800000000000000"
    "05d2f45bf910be2c21c1614210ce33e1de33f8941b632997545ce8d9080db4dd"
    "1100000009000000" "7878f0babdede77ceebfdcb4fb776fc289f208f3c0d49e0329a1469c752fb4b0"
    "6d6f64656c2e7361666574656e736f7273" "524541444d452e6d64";
const std::string kWeightsHex =
    "010000000200000002000000" "0000000001000000" "6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718"
    "0100000001000000" "6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718" "6277";

}  // namespace

Bytes from_hex(std::string_view text) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) out.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return out;
}

std::vector<Sample> samples() {
  const ObjectId chunk = id_of(ObjectKind::chunk, two_numbers());
  CheckpointTable a = checkpoint();
  DeltaTable b = delta();
  WeightsTable c = weights();
  return {
      {"tensor", ObjectKind::tensor, TensorObject{DType::f32, {2}, 8, {chunk}}.serialize(),
       "010c0100" "0200000000000000" "3d1ba5d98f012703c5975359eef462772d3662bb64c26ec738d9b7f830418f61", kTensorId},
      {"empty tensor", ObjectKind::tensor, TensorObject{DType::f32, {2, 0}, 0, {}}.serialize(), "010c020002000000000000000000000000000000",
       "5e76af00ea1c2c0141ce35721243da016eb757d3acb250bd756c1be6d91fc844"},
      {"file", ObjectKind::file, FileObject{6, {id_of(ObjectKind::chunk, "hello\n")}}.serialize(),
       "0600000000000000" "ce7ab942797cc7a8201e81f17a26326bd973cfcd33a7abddfafcd69cdbdbe599",
       "7878f0babdede77ceebfdcb4fb776fc289f208f3c0d49e0329a1469c752fb4b0"},
      {"weights", ObjectKind::weights, c.serialize(), kWeightsHex, kWeightsId},
      {"checkpoint", ObjectKind::checkpoint, a.serialize(), kCheckpointHex, "bd9a518566e1d5db478c74552a53832c6e1b324fdd7e5bbaa1a7b15327a25110"},
      {"delta", ObjectKind::delta, b.serialize(), kDeltaHex, "717c98b50d710ef183097793c416ce2a8394187f8ab9cf4f4f7ce638ec42034e"},
      {"evaluation", ObjectKind::evaluation, copy(as_bytes(kEvaluation)), hex(kEvaluation),
       "ee2638a7baf126edd02a8fa937aa18b45f18111842ff989c79b3f088640a04fe"},
      {"commit", ObjectKind::commit, copy(as_bytes(kBaseCommit)), hex(kBaseCommit), "c133be54f9ec0eb449ca48fd1c23967978e19d77cc6b3fbd1c2fb8c147322c29"},
      {"task commit", ObjectKind::commit, copy(as_bytes(kTaskCommit)), hex(kTaskCommit),
       "a695d6beb96fbc1b85168b76fef69ee9684299e0d7b06bb9fa547f06273e0072"},
  };
}

}  // namespace dstore::test
