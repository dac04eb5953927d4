#include "yaml_part.h"

#include <charconv>

#include "base/bytes.h"
#include "base/edit_distance.h"
#include "dstore/error.h"

namespace dstore::cli {
namespace {

constexpr std::uint64_t kMostBytes = 1 << 20;

std::string line_of(const YAML::Mark& mark) { return mark.is_null() ? "" : ", line " + std::to_string(mark.line + 1); }

}  // namespace

void YamlPart::fail(const std::string& message) const {
  throw Error(ErrorCode::invalid_argument, printable(file_) + line_of(mark_) + ": " + printable(name_) + ": " + message);
}

std::string YamlPart::text() const {
  if (!node_.IsScalar()) fail("expected one value");
  return node_.Scalar();
}

std::uint64_t YamlPart::number() const {
  const std::string digits = text();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) fail("expected a number, not \"" + printable(digits) + "\"");
  return value;
}

std::vector<YamlPart> YamlPart::items() const {
  if (!node_.IsSequence()) fail("expected a list");
  std::vector<YamlPart> out;
  for (const YAML::Node& item : node_) out.emplace_back(item, file_, name_);
  return out;
}

std::vector<std::string> YamlPart::texts() const {
  if (!is_list()) return {text()};
  std::vector<std::string> out;
  for (const YamlPart& item : items()) out.push_back(item.text());
  return out;
}

std::vector<std::pair<std::string, YamlPart>> YamlPart::members() const {
  if (!node_.IsMap()) fail("expected keys with values");
  std::vector<std::pair<std::string, YamlPart>> out;
  for (const auto& member : node_) {
    const std::string key = YamlPart(member.first, file_, name_).text();
    for (const auto& [other, part] : out) {
      if (other == key) YamlPart(member.first, file_, key).fail("stands there twice");
    }
    if (!member.second.IsNull()) out.emplace_back(key, YamlPart(member.second, file_, key, member.first.Mark()));
  }
  return out;
}

void YamlPart::fail_unknown(const std::vector<std::string>& known) const {
  const auto near = nearest(name_, known);
  std::string list;
  for (const std::string& other : known) list += (list.empty() ? "" : ", ") + other;
  fail(near ? "unknown key; did you mean " + *near + "?" : "unknown key; known are " + list);
}

void read_yaml(const std::string& text, const std::string& file, const char* what, const std::function<void(const YamlPart&)>& read) {
  if (text.size() > kMostBytes) throw Error(ErrorCode::invalid_argument, printable(file) + ": too large for a " + what);
  try {
    read(YamlPart(YAML::Load(text), file, "the file"));
  } catch (const YAML::Exception& error) {
    throw Error(ErrorCode::invalid_argument, printable(file) + line_of(error.mark) + ": no YAML: " + printable(error.msg));
  }
}

}  // namespace dstore::cli
