#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor/safetensors.h"
#include "tensor/tensor_name.h"

namespace dstore {
namespace {

constexpr std::size_t kAlignment = 8;

[[noreturn]] void refuse(const std::string& problem) { throw Error(ErrorCode::invalid_argument, problem); }

// JSON's shortest escapes, as serde_json (and so every safetensors writer) makes them. `text` is UTF-8.
std::string json_string(const std::string& text) { return nlohmann::json(text).dump(); }

Bytes framed(std::string json) {
  if (json.size() > kMaxSafetensorsHeader - kAlignment) {
    throw Error(ErrorCode::unsupported,
                "a safetensors header of " + std::to_string(json.size()) + " bytes is above the limit: use shards");
  }
  json.append((kAlignment - json.size() % kAlignment) % kAlignment, ' ');
  Writer writer;
  writer.u64(json.size());
  writer.text(json);
  return writer.take();
}

void check_name(const std::string& name) {
  if (const auto problem = tensor_name_problem(name)) refuse("a tensor name " + *problem);
}

std::string metadata_json(const std::map<std::string, std::string>& metadata) {
  std::string json = "\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (!is_utf8(key) || !is_utf8(value)) {
      refuse("safetensors metadata '" + printable(key.substr(0, 200)) + "' is not UTF-8");
    }
    if (!json.ends_with('{')) json += ',';
    json += json_string(key) + ":" + json_string(value);
  }
  return json + "}";
}

std::string entry_json(const TensorInfo& tensor, std::uint64_t begin) {
  check_name(tensor.name);
  const auto too_large = [](std::uint64_t dimension) { return dimension >> 63 != 0; };
  if (tensor.shape.size() > kMaxTensorRank || std::ranges::any_of(tensor.shape, too_large) ||
      tensor_bytes(tensor.dtype, tensor.shape, tensor.name) != tensor.bytes) {
    refuse("tensor '" + printable(tensor.name) + "' has a shape that does not fit its size");
  }
  const std::string dtype(dtype_info(tensor.dtype).name);
  std::string json = json_string(tensor.name) + ":{\"dtype\":\"" + dtype + "\",\"shape\":[";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i > 0) json += ',';
    json += std::to_string(tensor.shape[i]);
  }
  const std::uint64_t end = checked_add(begin, tensor.bytes, tensor.name);
  return json + "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

// Writes the tokens of a checked header back as compact JSON, with other names for the tensors.
class RenamingHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit RenamingHandler(const std::map<std::string, std::string>& renames) : renames_(renames) {}

  bool null() override { return value("null"); }
  bool boolean(bool truth) override { return value(truth ? "true" : "false"); }
  bool number_integer(number_integer_t number) override { return value(std::to_string(number)); }
  bool number_unsigned(number_unsigned_t number) override { return value(std::to_string(number)); }
  bool number_float(number_float_t, const string_t& text) override { return value(text); }
  bool binary(binary_t&) override { return false; }
  bool string(string_t& text) override { return value(json_string(text)); }
  bool start_object(std::size_t) override { return open('{'); }
  bool end_object() override { return close('}'); }
  bool start_array(std::size_t) override { return open('['); }
  bool end_array() override { return close(']'); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  bool key(string_t& name) override {
    separate();
    const auto renamed = depth_ == 1 ? renames_.find(name) : renames_.end();
    json_ += json_string(renamed == renames_.end() ? name : renamed->second) + ":";
    return true;
  }

  std::string take() { return std::move(json_); }

 private:
  void separate() {
    if (!json_.empty() && json_.back() != '{' && json_.back() != '[' && json_.back() != ':') json_ += ',';
  }
  bool value(const std::string& text) {
    separate();
    json_ += text;
    return true;
  }
  bool open(char bracket) {
    separate();
    json_ += bracket;
    ++depth_;
    return true;
  }
  bool close(char bracket) {
    json_ += bracket;
    --depth_;
    return true;
  }

  const std::map<std::string, std::string>& renames_;
  std::string json_;
  int depth_ = 0;
};

void check_renames(const SafetensorsHeader& header, const std::map<std::string, std::string>& renames) {
  std::set<std::string_view> after;
  std::size_t used = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    const auto renamed = renames.find(entry.info.name);
    used += renamed != renames.end();
    const std::string& name = renamed == renames.end() ? entry.info.name : renamed->second;
    check_name(name);
    if (!after.insert(name).second) refuse("two tensors would be named '" + printable(name) + "'");
  }
  if (used == renames.size()) return;
  for (const auto& [from, to] : renames) {
    const auto has_name = [&](const SafetensorsEntry& entry) { return entry.info.name == from; };
    if (std::ranges::none_of(header.entries, has_name)) {
      refuse("no tensor '" + printable(from) + "' to rename to '" + printable(to) + "'");
    }
  }
}

}  // namespace

Bytes render_safetensors_header(std::span<const TensorInfo> ordered,
                                const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  if (!metadata.empty()) json += metadata_json(metadata);
  std::uint64_t offset = 0;
  std::set<std::string_view> names;
  for (const TensorInfo& tensor : ordered) {
    if (!names.insert(tensor.name).second) {
      refuse("two tensors are named '" + printable(tensor.name) + "'");
    }
    if (json.size() > 1) json += ',';
    json += entry_json(tensor, offset);
    offset += tensor.bytes;
  }
  json += '}';
  return framed(std::move(json));
}

SafetensorsPlan write_safetensors_header(std::span<const TensorInfo> tensors,
                                         const std::map<std::string, std::string>& metadata) {
  SafetensorsPlan plan;
  plan.order.resize(tensors.size());
  std::iota(plan.order.begin(), plan.order.end(), std::size_t{0});
  std::ranges::sort(plan.order, [&](std::size_t a, std::size_t b) {
    const int left = dtype_info(tensors[a].dtype).write_order;
    const int right = dtype_info(tensors[b].dtype).write_order;
    return left != right ? left > right : tensors[a].name < tensors[b].name;
  });
  std::vector<TensorInfo> ordered;
  ordered.reserve(tensors.size());
  for (const std::size_t i : plan.order) ordered.push_back(tensors[i]);
  plan.header = render_safetensors_header(ordered, metadata);
  return plan;
}

Bytes rename_in_header(const SafetensorsHeader& header, const std::map<std::string, std::string>& renames) {
  check_renames(header, renames);
  if (renames.empty()) return header.raw;
  std::string_view text = as_text(header.raw).substr(sizeof(std::uint64_t));
  RenamingHandler handler(renames);
  if (!nlohmann::json::sax_parse(text, &handler)) refuse("a safetensors header that was never checked");
  return framed(handler.take());
}

}  // namespace dstore
