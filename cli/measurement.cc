#include "measurement.h"

#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "base/sha256.h"
#include "dstore/error.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

/// A JSON object whose members are asked for by name and type.
class Members {
 public:
  Members(const ordered_json& json, std::string what) : json_(json), what_(std::move(what)) {}

  [[noreturn]] void fail(const std::string& message) const { throw Error(ErrorCode::invalid_argument, what_ + ": " + message); }
  std::string text(const char* key) const {
    const auto at = json_.find(key);
    if (at == json_.end()) return "";
    if (!at->is_string()) fail(std::string("\"") + key + "\" is no text");
    return at->get<std::string>();
  }
  std::int64_t count(const char* key) const {
    const auto at = json_.find(key);
    if (at == json_.end() || !at->is_number_integer() || at->get<std::int64_t>() < 1) fail(std::string("\"") + key + "\" is missing, or no count of examples");
    return at->get<std::int64_t>();
  }
  /// Empty where it is absent.
  ordered_json object(const char* key) const {
    const auto at = json_.find(key);
    if (at == json_.end()) return ordered_json::object();
    if (!at->is_object()) fail(std::string("\"") + key + "\" is no object");
    return *at;
  }

 private:
  const ordered_json& json_;
  std::string what_;
};

std::string file_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

double number_of(const Members& members, const std::string& name, const ordered_json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) {
    if (value == "nan" || value == "inf" || value == "-inf") members.fail("metric " + printable(name) + " is " + value.get<std::string>() + ", which is no number to record");
    if (const auto number = parse_number(value.get<std::string>())) return *number;
  }
  members.fail("metric " + printable(name) + " is no number");
}

}  // namespace

Evaluation read_measurement(Filesystem& fs, const std::string& path, const std::string& directory, const std::string& what) {
  const ordered_json json = ordered_json::parse(read_text_file(fs, path), nullptr, false);
  const Members members(json, printable(what));
  if (!json.is_object()) members.fail("no JSON object; it looks like {\"data\": \"test.tsv\", \"n\": 500, \"metrics\": {\"accuracy\": 0.91}}");
  Evaluation out;
  const std::string data = members.text("data"), digest = members.text("data_sha256");
  out.data = file_name(data);
  if (!digest.empty()) {
    const auto id = ObjectId::from_hex(digest);
    if (!id || id->is_none()) members.fail("\"data_sha256\" is no SHA-256 in 64 lower-case hex digits");
    out.data_sha256 = *id;
  } else {
    if (data.empty()) members.fail("give \"data\", the file that it was measured on, or its \"data_sha256\"");
    const Mapping file = fs.map(data.starts_with('/') || directory == "." ? data : join_path(directory, data));
    out.data_sha256 = sha256(file.bytes);
  }
  out.split = members.text("split");
  if (out.split.empty()) out.split = out.data.substr(0, out.data.find_last_of('.'));
  if (out.split.empty()) members.fail("give \"split\", or --split: test, dev, …");
  out.n = members.count("n");
  const ordered_json metrics = members.object("metrics"), environment = members.object("environment");
  for (const auto& [name, value] : metrics.items()) {
    out.metrics.push_back({name, Evaluation::value_text(number_of(members, name, value), name)});
  }
  if (out.metrics.empty()) members.fail("\"metrics\" is missing, or empty");
  for (const auto& [name, value] : environment.items()) {
    if (!value.is_string()) members.fail("\"environment\": " + printable(name) + " is no text");
    out.environment.emplace(name, value.get<std::string>());
  }
  return out;
}

}  // namespace dstore::cli
