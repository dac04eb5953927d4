#include <nlohmann/json.hpp>

#include "dstore/error.h"
#include "repo/sparse_patch.h"
#include "tensor/dtype.h"

namespace dstore {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const SafetensorsFile& file, const std::string& why, ErrorCode code = ErrorCode::corrupt) {
  throw Error(code, printable(file.path()) + ": " + why);
}

std::string metadata(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? std::string() : found->second;
}

json parse_json(const SafetensorsFile& file, const std::string& key) {
  json value = json::parse(metadata(file, key), nullptr, false);
  if (value.is_discarded()) fail(file, "its metadata \"" + key + "\" is no JSON");
  return value;
}

std::string name_in(const SafetensorsFile& file, const json& value, const std::string& key) {
  if (!value.is_string()) fail(file, "its metadata \"" + key + "\" does not hold names of tensors");
  return value.get<std::string>();
}

const TensorInfo& row(const SafetensorsFile& file, std::size_t index) {
  const TensorInfo& info = file.tensors()[index];
  if (info.shape.size() != 1) fail(file, "tensor " + printable(info.name) + " is not a row of numbers");
  return info;
}

// NAME.idx and NAME.val: TRL's patches and those that dstore exports.

SparsePatch::Positions pair_positions(const SafetensorsFile& file, std::size_t number, std::size_t index, const std::string& encoding) {
  const TensorInfo& info = row(file, index);
  const bool gaps = encoding == "gap_delta";
  const bool known = gaps ? info.dtype == DType::u16 || info.dtype == DType::u32 : info.dtype == DType::i32 || info.dtype == DType::i64;
  if (!known) fail(file, "tensor " + printable(info.name) + " has the dtype " + std::string(dtype_info(info.dtype).name) + ", which is none of indices " + encoding);
  using Kind = SparsePatch::Positions::Kind;
  return {gaps ? Kind::gaps : Kind::absolute, number, index, 0, static_cast<unsigned>(dtype_info(info.dtype).bytes()), info.shape[0]};
}

void read_pairs(const SafetensorsFile& file, std::size_t number, SparsePatch::Content& out) {
  const std::string encoding = metadata(file, "encoding"), version = metadata(file, "version");
  if (version != "1") fail(file, "a sparse patch of version " + printable(version) + "; 1 is known", ErrorCode::unsupported);
  if (encoding != "raw" && encoding != "gap_delta") {
    fail(file, "its indices are encoded as \"" + printable(encoding) + "\"; raw and gap_delta are known", ErrorCode::unsupported);
  }
  const auto partner = [&](const std::string& name, std::string_view suffix) { return file.find(name + std::string(suffix)); };
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    const std::string& full = file.tensors()[i].name;
    const auto stem = [&](std::string_view suffix) { return full.ends_with(suffix) ? full.substr(0, full.size() - suffix.size()) : std::string(); };
    if (const std::string name = stem(kPatchValues); !name.empty()) {
      const auto indices = partner(name, kPatchIndices);
      if (!indices) fail(file, "values without indices: " + printable(full));
      SparsePatch::Part part{name, pair_positions(file, number, *indices, encoding), number, i, 0, {}, {}};
      if (row(file, i).shape[0] != part.positions.count) fail(file, "tensor " + printable(name) + " has other numbers of indices and values");
      out.parts.push_back(std::move(part));
    } else if (const std::string indices = stem(kPatchIndices); !indices.empty()) {
      if (!partner(indices, kPatchValues)) fail(file, "indices without values: " + printable(full));
    } else {
      out.whole.push_back({full, number, i});
    }
  }
  if (file.metadata().contains("renamed")) {
    const json renamed = parse_json(file, "renamed");
    if (!renamed.is_object()) fail(file, "its metadata \"renamed\" is no object");
    for (const auto& [name, from] : renamed.items()) out.renamed.emplace(name, name_in(file, from, "renamed"));
  }
  if (file.metadata().contains("removed")) {
    const json removed = parse_json(file, "removed");
    if (!removed.is_array()) fail(file, "its metadata \"removed\" is no array");
    for (const json& name : removed) out.removed.insert(name_in(file, name, "removed"));
  }
  if (const std::string base = metadata(file, "base_weights"); !base.empty()) out.base_weights = ObjectId::parse(base, printable(file.path()));
}

// __positions__ and __values__ with a list of parameters: slime.

std::uint64_t count_in(const SafetensorsFile& file, const json& param, const char* key) {
  const auto found = param.find(key);
  if (found == param.end() || !found->is_number_unsigned()) fail(file, std::string("a parameter without \"") + key + "\"");
  return found->get<std::uint64_t>();
}

/// "bfloat16" → BF16.
std::optional<DType> torch_dtype(const std::string& name) {
  constexpr std::pair<std::string_view, DType> kNames[] = {
      {"float64", DType::f64}, {"float32", DType::f32}, {"float16", DType::f16},        {"bfloat16", DType::bf16},         {"int64", DType::i64}, {"int32", DType::i32},
      {"int16", DType::i16},   {"int8", DType::i8},     {"uint8", DType::u8},           {"bool", DType::boolean},          {"float8_e4m3fn", DType::f8_e4m3},
      {"float8_e5m2", DType::f8_e5m2}};
  for (const auto& [known, dtype] : kNames) {
    if (known == name) return dtype;
  }
  return std::nullopt;
}

SparsePatch::Part blob_part(const SafetensorsFile& file, std::size_t number, const json& param, bool gaps) {
  const std::size_t positions = *file.find("__positions__"), values = *file.find("__values__");
  if (!param.is_object() || !param.contains("name")) fail(file, "a parameter without a name");
  const std::uint64_t start = count_in(file, param, "pos_start"), end = count_in(file, param, "pos_end"), width = count_in(file, param, "pos_width");
  const std::uint64_t first = count_in(file, param, "val_start"), last = count_in(file, param, "val_end");
  const std::string name = name_in(file, param["name"], "params");
  const bool inside = start <= end && end <= row(file, positions).bytes && first <= last && last <= row(file, values).shape[0];
  if (!inside || !(width == 4 || (gaps && width == 2)) || (end - start) != (last - first) * width) {
    fail(file, "the places of the indices and values of " + printable(name) + " contradict each other or the file");
  }
  using Kind = SparsePatch::Positions::Kind;
  SparsePatch::Part part{name, {gaps ? Kind::gaps : Kind::absolute, number, positions, start, static_cast<unsigned>(width), last - first}, number, values, first, {}, {}};
  part.dtype = torch_dtype(param.contains("dtype") ? name_in(file, param["dtype"], "params") : "");
  if (!part.dtype) fail(file, "the dtype of " + printable(name) + " is not known", ErrorCode::unsupported);
  std::vector<std::uint64_t> shape;
  if (!param.contains("shape") || !param["shape"].is_array()) fail(file, "the shape of " + printable(name) + " is missing");
  for (const json& size : param["shape"]) {
    if (!size.is_number_unsigned()) fail(file, "the shape of " + printable(name) + " is none");
    shape.push_back(size.get<std::uint64_t>());
  }
  part.shape = std::move(shape);
  return part;
}

void read_blobs(const SafetensorsFile& file, std::size_t number, SparsePatch::Content& out) {
  const std::string encoding = metadata(file, "encoding");
  if (encoding != "indices" && encoding != "deltas" && encoding != "deltas_zstd") {
    fail(file, "its positions are encoded as \"" + printable(encoding) + "\"; indices and deltas are known", ErrorCode::unsupported);
  }
  const std::size_t positions = *file.find("__positions__");
  if (row(file, positions).dtype != DType::u8) fail(file, "__positions__ are not U8");
  const json params = parse_json(file, "params");
  if (!params.is_array()) fail(file, "its metadata \"params\" is no array");
  for (const json& param : params) out.parts.push_back(blob_part(file, number, param, encoding != "indices"));
}

constexpr PatchLayout kLayouts[] = {
    {"idx/val", [](const SafetensorsFile& file) { return metadata(file, "format") == kPatchFormat; }, read_pairs},
    {"positions/values", [](const SafetensorsFile& file) { return file.find("__positions__") && file.find("__values__") && file.metadata().contains("params"); }, read_blobs},
};

}  // namespace

std::span<const PatchLayout> patch_layouts() { return kLayouts; }

}  // namespace dstore
