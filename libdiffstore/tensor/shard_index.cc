#include "tensor/shard_index.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/filesystem.h"
#include "dstore/error.h"
#include "tensor/tensor_name.h"

namespace dstore {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::string_view kWeightMap = "weight_map";

class IndexHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit IndexHandler(std::string_view what) : what_(what) {}

  bool null() override { return other_value(); }
  bool boolean(bool) override { return other_value(); }
  bool number_integer(number_integer_t) override { return other_value(); }
  bool number_unsigned(number_unsigned_t) override { return other_value(); }
  bool number_float(number_float_t, const string_t&) override { return other_value(); }
  bool binary(binary_t&) override { return other_value(); }

  bool string(string_t& value) override {
    if (!in_map_ || depth_ != 2) return other_value();
    if (value.find('/') != value.npos || !is_safe_relative_path(value) || !value.ends_with(".safetensors")) {
      fail("tensor '" + printable(key_.substr(0, 200)) + "' is said to be in '" + printable(value.substr(0, 200)) +
           "', which is not the plain name of a .safetensors file");
    }
    map_[key_] = std::move(value);
    return true;
  }

  bool key(string_t& name) override {
    if (depth_ == 1) {
      in_map_ = name == kWeightMap;
      if (in_map_ && std::exchange(map_seen_, true)) fail("duplicate weight_map");
    } else if (in_map_) {
      if (const auto problem = tensor_name_problem(name)) fail("a tensor name " + *problem);
      if (!map_.emplace(name, "").second) fail("tensor '" + printable(name.substr(0, 200)) + "' is named twice");
      key_ = std::move(name);
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (in_map_ && depth_ != 1) return other_value();
    return deeper();
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0 || in_map_) return other_value();
    return deeper();
  }
  bool end_object() override { return shallower(); }
  bool end_array() override { return shallower(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail("not valid JSON at byte " + std::to_string(position - 1));
  }

  std::map<std::string, std::string> take() {
    if (!map_seen_) fail("has no weight_map");
    return std::move(map_);
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(ErrorCode::corrupt, std::string(what_) + ": " + problem);
  }
  bool other_value() const {
    if (depth_ == 0) fail("is not a JSON object");
    if (in_map_) fail("weight_map is not an object of tensor name to file name");
    return true;
  }
  bool deeper() {
    if (++depth_ > kMaxDepth) fail("is nested too deeply");
    return true;
  }
  bool shallower() {
    if (--depth_ == 1) in_map_ = false;
    return true;
  }

  std::string_view what_;
  std::map<std::string, std::string> map_;
  std::string key_;
  int depth_ = 0;
  bool in_map_ = false;
  bool map_seen_ = false;
};

}  // namespace

std::map<std::string, std::string> parse_shard_index(std::string_view text, std::string_view what) {
  if (text.find('\0') != text.npos || !is_utf8(text)) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": is not UTF-8 text");
  }
  IndexHandler handler(what);
  if (!nlohmann::json::sax_parse(text, &handler)) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": not valid JSON");
  }
  return handler.take();
}

}  // namespace dstore
