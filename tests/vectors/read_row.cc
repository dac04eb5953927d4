#include "vectors/read_row.h"

#include <cstdlib>
#include <stdexcept>

#include "base/scratch.h"
#include "base/sha256.h"
#include "delta/byte_huffman.h"
#include "delta/chunk_codec.h"
#include "delta/segment.h"
#include "dstore/error.h"
#include "fuzz/memory_file.h"
#include "object/round_trip.h"
#include "odb/pack.h"
#include "repo/checkout.h"
#include "sign/signature_object.h"
#include "tensor/dtype.h"

namespace dstore::test {
namespace {

using Row = nlohmann::json;

std::string text_of(const Row& row, const char* key) { return row.at(key).get<std::string>(); }

/// The file's bytes, repeated.
Bytes base_of(const Row& piece) {
  const Bytes pattern = read_vector(text_of(piece, "base"));
  Bytes base(piece["bytes"].get<std::size_t>());
  for (std::size_t i = 0; i < base.size(); ++i) base[i] = pattern[i % pattern.size()];
  return base;
}

/// A base holds the piece alone, wherever in its tensor that is.
void read_segment(Row& row) {
  const Bytes segment = read_vector(text_of(row, "segment"));
  const SegmentReader reader(segment, "vector");
  for (std::size_t i = 0; i < row["pieces"].size(); ++i) {
    Row& piece = row["pieces"][i];
    Bytes task = base_of(piece);
    const PieceInfo& info = reader.pieces().at(i);
    if (info.count != unit_count(info.dtype, task.size())) throw Error(ErrorCode::corrupt, "a piece that does not fit its tensor");
    reader.apply(i, info.first, task);
    piece["task_sha256"] = sha256(task).hex();
  }
}

void read_byte_code(Row& row) {
  Bytes out(row["bytes"].get<std::size_t>());
  const std::string_view problem = decode_bytes(read_vector(text_of(row, "byte_code")), out);
  if (!problem.empty()) throw Error(ErrorCode::corrupt, std::string(problem));
  row["sha256"] = sha256(out).hex();
}

void read_planes(Row& row) {
  Bytes out(row["bytes"].get<std::size_t>());
  decode_chunk(read_vector(text_of(row, "planes")), out, "vector");
  row["sha256"] = sha256(out).hex();
}

void read_pack(Row& row) {
  fuzz::MemoryFile file(read_vector(text_of(row, "pack")));
  Row records = Row::array();
  for (const PackEntry& entry : read_trailer(file, ObjectId::parse(text_of(row, "name"), "name"))) {
    const ObjectId id = object_id(entry.kind, read_object(file, entry));
    records.push_back({{"kind", kind_name(entry.kind)}, {"id", id.hex()}, {"bytes", entry.raw_size}, {"codec", static_cast<int>(entry.codec)}});
  }
  row["records"] = records;
}

ObjectKind kind_called(const std::string& name) {
  for (std::uint8_t code = 1; const auto kind = kind_from_code(code); ++code) {
    if (kind_name(*kind) == name) return *kind;
  }
  throw std::logic_error("no kind is called " + name);
}

Bytes read_signature(Row& row, ByteSpan content) {
  const SignatureObject object = SignatureObject::parse(content, "vector");
  row["target"] = object.target.hex();
  row["signer"] = verify_message(object.blob, kCommitNamespace, read_vector(text_of(row, "signed"))).fingerprint();
  return object.serialize();
}

void read_object(Row& row) {
  const Bytes content = read_vector(text_of(row, "object"));
  const ObjectKind kind = kind_called(text_of(row, "kind"));
  const Bytes again = kind == ObjectKind::signature ? read_signature(row, content) : round_trip(kind, content);
  row["id"] = object_id(kind, again).hex();
}

std::string signer_of(const RefEntry& entry) {
  if (entry.signature.empty()) return "";
  return verify_message(dearmor(entry.signature, "vector"), kRefNamespace, as_bytes(entry.payload())).fingerprint();
}

void read_entries(Row& row) {
  const Scratch folder;
  const RefName ref = RefName::parse(text_of(row, "ref"));
  const std::string digits = "000000000";
  for (std::size_t i = 0; i < row["entries"].size(); ++i) {
    const Row& name = row["entries"][i];
    if (!name.is_null()) put(folder / ref.encode() + "/" + digits + std::to_string(i + 1), as_text(read_vector(name.get<std::string>())));
  }
  Row digests = Row::array(), signers = Row::array();
  for (const RefEntry& entry : RefLog(posix_filesystem(), folder.path(), ObjectId::parse(text_of(row, "repository"), "id")).entries(ref)) {
    digests.push_back(entry.digest().hex());
    signers.push_back(signer_of(entry));
  }
  row["digests"] = digests;
  row["signers"] = signers;
}

/// The files of a revision, checked out of a repository with these packs and nothing else.
void read_model(Row& row) {
  const Scratch folder;
  ::setenv("DSTORE_CONFIG_HOME", (folder / "config").c_str(), 1);
  Repository::create(posix_filesystem(), folder / "store", IndexMode::memory);
  for (const Row& name : row["packs"]) {
    const Bytes pack = read_vector(name.get<std::string>());
    const ObjectId digest(ByteSpan(pack).last<ObjectId::kSize>());
    put(folder / "store/packs/" + pack_file_name(digest), as_text(pack));
  }
  const Repository repository = Repository::open(posix_filesystem(), folder / "store", IndexMode::memory);
  checkout(repository, resolve_revision(repository, text_of(row, "revision")), folder / "out", {}, {});
  Row files = Row::object();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "out")) {
    const std::string path = std::filesystem::relative(entry.path(), folder / "out").string();
    if (entry.is_regular_file() && !path.starts_with(".dstore")) files[path] = sha256(as_bytes(slurp(entry.path().string()))).hex();
  }
  row["files"] = files;
}

/// The header of a file that is stored apart from what follows it.
void read_header(Row& row) {
  const SafetensorsHeader header = parse_safetensors_header(read_vector(text_of(row, "header")), row["bytes"].get<std::uint64_t>(), "vector");
  Row tensors = Row::object();
  for (const SafetensorsEntry& entry : header.entries) {
    tensors[entry.info.name] = {dtype_info(entry.info.dtype).name, entry.info.shape, entry.begin, entry.end};
  }
  row["tensors"] = tensors;
}

struct Reading {
  const char* key;  ///< what a row of this format has
  void (*read)(Row& row);
};
constexpr Reading kReadings[] = {{"segment", read_segment}, {"byte_code", read_byte_code}, {"planes", read_planes}, {"pack", read_pack},
                                 {"object", read_object},   {"entries", read_entries},     {"packs", read_model},
                                 {"header", read_header}};

}  // namespace

Bytes read_vector(const std::string& name) {
  const std::string path = std::string(DSTORE_VECTORS) + "/" + name;
  if (!std::filesystem::exists(path)) throw std::logic_error("no vector " + name);
  const std::string text = slurp(path);
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

Row read_row(Row row) {
  for (const Reading& reading : kReadings) {
    if (!row.contains(reading.key)) continue;
    reading.read(row);
    return row;
  }
  throw std::logic_error("a row of a format that is not known");
}

}  // namespace dstore::test
