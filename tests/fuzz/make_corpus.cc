// Writes the seeds of every fuzz target: real objects of a tiny repository, small tensors, and the texts that a user types.
//   make_corpus FOLDER
#include <fstream>
#include <iostream>

#include "base/json.h"
#include "base/sha256.h"
#include "delta/byte_huffman.h"
#include "delta/chunk_codec.h"
#include "object/delta_table.h"
#include "object/samples.h"
#include "odb/object_store.h"
#include "odb/ref_log.h"
#include "odb/sample_pack.h"
#include "sign/allowed_signers.h"
#include "sign/signature_object.h"
#include "seeds.h"
#include "tensor/safetensors.h"

namespace dstore::fuzz {
namespace {

using dstore::test::Sample;

Bytes joined(std::initializer_list<unsigned> head, ByteSpan rest) {
  Bytes out;
  for (const unsigned byte : head) out.push_back(static_cast<std::byte>(byte));
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

PrivateKey fixed_key() {
  const std::array<std::byte, 32> seed{std::byte{1}, std::byte{2}, std::byte{3}};
  return PrivateKey(Ed25519Seed(seed), "ada@example.org");
}

const Sample& sample(const std::vector<Sample>& all, std::string_view name) {
  for (const Sample& each : all) {
    if (each.name == name) return each;
  }
  throw Error(ErrorCode::not_found, "no sample of that name");
}

/// Tensors that grow, change their dtype or take factors.
Bytes derived_delta() {
  const ObjectId id = sha256(as_bytes("id"));
  DeltaTable table;
  table.base_weights = table.result_weights = id;
  table.segments = {id};
  table.changes.push_back({DeltaOp::convert, "a", "", 0, 0, 0, id, DeltaTable::Convert{DType::bf16, 7}, {}});
  table.changes.push_back({DeltaOp::low_rank, "b", "c", 0, 0, 3, id, {}, DeltaTable::LowRank{id, id, 0.5f}});
  return table.serialize();
}

void write_objects(Folder& folder) {
  const auto all = test::samples();
  constexpr ObjectKind kKinds[] = {ObjectKind::tensor, ObjectKind::file, ObjectKind::weights, ObjectKind::checkpoint, ObjectKind::delta};
  for (const Sample& each : all) {
    if (each.kind == ObjectKind::commit) folder.add("commit", each.name, each.bytes);
    if (each.kind == ObjectKind::evaluation) folder.add("evaluation", each.name, each.bytes);
    for (unsigned i = 0; i < std::size(kKinds); ++i) {
      if (each.kind == kKinds[i]) folder.add("object_tables", each.name, joined({i}, each.bytes));
    }
  }
  folder.add("object_tables", "derived", joined({4}, derived_delta()));
  folder.add("json", "commit", sample(all, "task commit").bytes);
  folder.add("json", "escapes", R"({"a":["","\u0000\u001f\"\\","é😀",{"b":-9007199254740991}],"b":0})");
}

void write_refs(Folder& folder) {
  const ObjectId id = sha256(as_bytes("commit"));
  RefEntry first = next_entry(std::nullopt, id, RefName::parse("tasks/Sst2"), RefKind::branch, id, 1'700'000'000);
  folder.add("ref_entry", "unsigned", first.serialize());
  RefEntry second = next_entry(first, id, first.ref, RefKind::branch, ObjectId(), 1'700'000'001);
  second.signature = armor(sign_message(fixed_key(), kRefNamespace, as_bytes(second.payload())));
  folder.add("ref_entry", "signed deletion", second.serialize());
  for (const char* name : {"base", "tasks/Sst2", "a.b_c-d/9", "tasks%2f%53st2", ".hidden", "a..b", "x.lock", "%", "%2"}) {
    folder.add("ref_name", "", name);
  }
  for (const char* text : {"base", "base+sst2", "base + 0.7*sst2 - other~2", "sst2@{3}^^", "0123abcd~10", "base+-1*toxic", "+", "1e3*a", "a - ", "merge(ties,density=20%;0.1,seed=7: a, 0.5*b)",
                           "rebase(add: a~2, base@{1})+c - 0.1*d", "base+2*merge(linear: rebase(a,b), c+d)", "merge(ties,k=1;: a", "rebase(a)"}) {
    folder.add("revision", "", text);
  }
}

void write_adapters(Folder& folder) {
  folder.add("adapter_config", "lora", R"({"peft_type":"LORA","r":8,"lora_alpha":16,"use_dora":false,"bias":"none","modules_to_save":["classifier"]})");
  folder.add("adapter_config", "patterns",
             R"({"peft_type":"LORA","r":2,"lora_alpha":0.5,"use_rslora":true,"rank_pattern":{"^a.\d+.q$":4},"alpha_pattern":{"layer.*.q.?":1e3}})");
  folder.add("adapter_config", "shira", R"({"peft_type":"SHIRA","r":1,"mask_type":"random","random_seed":null,"fan_in_fan_out":true})");
  folder.add("adapter_config", "refused", R"({"peft_type":"LORA","r":1,"lora_alpha":1,"init_lora_weights":"pissa","use_dora":true})");
}

void write_keys(Folder& folder) {
  const PrivateKey key = fixed_key();
  const PublicKey& known = key.public_key();
  const Bytes blob = sign_message(key, kCommitNamespace, as_bytes("message"));
  const PublicKeyLine line{known, "ada@example.org"};
  folder.add("ssh_key", "blob", joined({0}, known.blob()));
  folder.add("ssh_key", "line", joined({1}, as_bytes(line.text() + "\n")));
  folder.add("ssh_key", "private", joined({2}, key.serialize().bytes()));
  folder.add("sshsig", "blob", joined({0}, blob));
  folder.add("sshsig", "text", joined({1}, as_bytes(armor(blob))));
  folder.add("sshsig", "object", joined({2}, SignatureObject{sha256(as_bytes("commit")), blob}.serialize()));
  const std::string plain = allowed_signers_line("ada@example.org", known);
  const std::string public_part = plain.substr(plain.find("ssh-ed25519"));
  folder.add("allowed_signers", "plain", "# comment\n\n" + plain);
  const std::string options = R"("a b",*@c namespaces="dstore-*@v1,!x",valid-after="20200101Z",valid-before="20991231235959Z" )";
  folder.add("allowed_signers", "options", options + public_part);
  folder.add("allowed_signers", "others", "*@b cert-authority " + public_part + "x ssh-rsa AAAA\n");
  folder.add("allowed_signers", "keys", public_part);
}

void write_files(Folder& folder) {
  folder.add("ignore_file", "", std::string("# x\n*.bin\n!keep/\n/a/**/b?\n**/logs/**\n\r\n") + '\0' + "a/c/d/bx");
  folder.add("ignore_file", "", std::string("**/*a*a*a*b\n") + '\0' + "aaaaaaaaaaaaaaaaaaaaaaaa/aaaaaaaaaaaaaaac");
  folder.add("shard_index", "", R"({"metadata":{"total_size":12,"x":[1.5,null,true]},"weight_map":{"a":"m-1.safetensors","b\n":"m-2.safetensors"}})");
  const std::string json = R"({"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
                           R"("n":{"dtype":"I8","shape":[],"data_offsets":[12,13]}}  )";
  const std::string narrow = R"({"a":{"dtype":"F4","shape":[2,13],"data_offsets":[0,13]},"b":{"shape":[0],"data_offsets":[13,13],"dtype":"C64"}})";
  folder.add("safetensors", "header", joined({1, 13, 0}, as_bytes(json)));
  folder.add("safetensors", "narrow", joined({1, 13, 0}, as_bytes(narrow)));
  const TensorInfo info{"x", DType::f32, {2}, 8};
  Bytes file = render_safetensors_header(std::span(&info, 1), {});
  file.resize(file.size() + 8);
  folder.add("safetensors", "file", joined({0}, file));
}

void write_pack(Folder& folder) {
  for (const Bytes& pack : test::sample_packs(repeated(as_bytes("seven b"), 700), bf16_weights(600).base)) folder.add("pack", "objects", pack);
}

void write_codecs(Folder& folder) {
  const TensorBytes weights = bf16_weights(600);
  const Bytes dull = repeated(as_bytes("seven b"), 700);
  for (const Bytes* raw : {&weights.base, &dull}) {
    folder.add("byte_code", "raw", joined({0}, *raw));
    Bytes coded;
    ByteEncoder(*raw).append_to(coded);
    const std::size_t size = raw->size() - 1;
    folder.add("byte_code", "coded", joined({1, static_cast<unsigned>(size & 255), static_cast<unsigned>(size >> 8)}, coded));
  }
  folder.add("byte_code", "one", joined({0}, Bytes(40, std::byte{7})));
  const Bytes planes = encode_chunk(chunk_layout(DType::bf16), weights.base);
  const auto low = static_cast<unsigned>(weights.base.size() & 255), high = static_cast<unsigned>(weights.base.size() >> 8);
  folder.add("chunk_codec", "raw", joined({0, 10}, weights.base));
  folder.add("chunk_codec", "planes", joined({1, low, high, 0}, planes));
  folder.add("record", "planes", joined({1, 2, low, high, 0}, planes));
  const EncodedObject lz4 = encode_object(ObjectKind::file, dull);
  const auto dull_low = static_cast<unsigned>(dull.size() & 255), dull_high = static_cast<unsigned>(dull.size() >> 8);
  folder.add("record", "lz4", joined({4, 1, dull_low, dull_high, 0}, lz4.bytes));
  folder.add("record", "none", joined({4, 0, 6, 0, 0}, as_bytes("hello\n")));
}

}  // namespace
}  // namespace dstore::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_corpus FOLDER\n";
    return 2;
  }
  using namespace dstore::fuzz;
  Folder folder(argv[1]);
  write_objects(folder);
  write_refs(folder);
  write_adapters(folder);
  write_keys(folder);
  write_files(folder);
  write_pack(folder);
  write_codecs(folder);
  write_segments(folder);
}
