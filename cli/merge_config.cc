#include "merge_config.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <functional>

#include "base/bytes.h"
#include "base/edit_distance.h"
#include "base/sha256.h"
#include "dstore/error.h"

namespace dstore::cli {
namespace {

constexpr std::uint64_t kMostBytes = 1 << 20;

/// Reads a node of the file; what is wrong is said with its line.
class Part {
 public:
  Part(const YAML::Node& node, const std::string& file, std::string name) : Part(node, file, std::move(name), node.Mark()) {}
  /// `mark`: where its key stands.
  Part(const YAML::Node& node, const std::string& file, std::string name, const YAML::Mark& mark)
      : node_(node), file_(file), name_(std::move(name)), mark_(mark) {}

  [[noreturn]] void fail(const std::string& message) const {
    const std::string line = mark_.is_null() ? "" : ", line " + std::to_string(mark_.line + 1);
    throw Error(ErrorCode::invalid_argument, printable(file_) + line + ": " + printable(name_) + ": " + message);
  }
  bool is_list() const { return node_.IsSequence(); }
  bool is_map() const { return node_.IsMap(); }

  std::string text() const {
    if (!node_.IsScalar()) fail("expected one value");
    return node_.Scalar();
  }
  std::uint64_t number() const {
    const std::string digits = text();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) fail("expected a number, not \"" + printable(digits) + "\"");
    return value;
  }
  std::vector<Part> items() const {
    if (!node_.IsSequence()) fail("expected a list");
    std::vector<Part> out;
    for (const YAML::Node& item : node_) out.emplace_back(item, file_, name_);
    return out;
  }
  /// Members in the order of the file; a name may stand there once.
  std::vector<std::pair<std::string, Part>> members() const {
    if (!node_.IsMap()) fail("expected keys with values");
    std::vector<std::pair<std::string, Part>> out;
    for (const auto& member : node_) {
      const std::string key = Part(member.first, file_, name_).text();
      for (const auto& [other, part] : out) {
        if (other == key) Part(member.first, file_, key).fail("stands there twice");
      }
      if (!member.second.IsNull()) out.emplace_back(key, Part(member.second, file_, key, member.first.Mark()));
    }
    return out;
  }

 private:
  YAML::Node node_;
  const std::string& file_;
  std::string name_;
  YAML::Mark mark_;
};

template <class Target>
struct Key {
  std::string_view name;
  void (*read)(Target& target, const Part& part);
};

/// Reads the members that the table has. Error{invalid_argument} for others.
template <class Target, std::size_t kCount>
void read_members(Target& target, const Part& part, const Key<Target> (&keys)[kCount]) {
  for (const auto& [name, value] : part.members()) {
    bool known = false;
    for (const Key<Target>& key : keys) {
      if (key.name != name) continue;
      key.read(target, value);
      known = true;
    }
    if (known) continue;
    std::vector<std::string> names;
    for (const Key<Target>& key : keys) names.emplace_back(key.name);
    const auto near = nearest(name, names);
    std::string list;
    for (const std::string& other : names) list += (list.empty() ? "" : ", ") + other;
    value.fail(near ? "unknown key; did you mean " + *near + "?" : "unknown key; known are " + list);
  }
}

std::vector<std::string> read_points(const Part& part) {
  if (!part.is_list()) return {part.text()};
  std::vector<std::string> out;
  for (const Part& item : part.items()) out.push_back(item.text());
  return out;
}

constexpr Key<ConfigValue> kValueKeys[] = {
    {"filter", [](ConfigValue& value, const Part& part) { value.filter = part.text(); }},
    {"value", [](ConfigValue& value, const Part& part) { value.points = read_points(part); }},
};

ConfigValue read_conditional(const Part& part) {
  ConfigValue value;
  read_members(value, part, kValueKeys);
  if (value.points.empty()) part.fail("an entry of a list of filters needs a value");
  return value;
}

std::vector<ConfigValue> read_setting(const Part& part) {
  if (part.is_map()) return {read_conditional(part)};
  if (part.is_list()) {
    const std::vector<Part> items = part.items();
    if (items.empty() || items.front().is_map()) {
      std::vector<ConfigValue> out;
      for (const Part& item : items) out.push_back(read_conditional(item));
      return out;
    }
  }
  return {{"", read_points(part)}};
}

ConfigSettings read_settings(const Part& part) {
  ConfigSettings out;
  for (const auto& [name, value] : part.members()) out.emplace(name, read_setting(value));
  return out;
}

constexpr Key<ConfigSource> kModelKeys[] = {
    {"model", [](ConfigSource& source, const Part& part) { source.model = part.text(); }},
    {"parameters", [](ConfigSource& source, const Part& part) { source.parameters = read_settings(part); }},
};
constexpr Key<ConfigSource> kSourceKeys[] = {
    kModelKeys[0],
    kModelKeys[1],
    {"layer_range",
     [](ConfigSource& source, const Part& part) {
       const std::vector<Part> ends = part.items();
       if (ends.size() != 2 || ends[0].number() >= ends[1].number()) part.fail("expected [FIRST, END], the layers from FIRST up to END");
       source.layers = {ends[0].number(), ends[1].number()};
     }},
};

template <std::size_t kCount>
ConfigSource read_source(const Part& part, const Key<ConfigSource> (&keys)[kCount]) {
  ConfigSource source;
  read_members(source, part, keys);
  if (source.model.empty()) part.fail("an entry has no model");
  if (kCount > 2 && !source.layers) part.fail("a source of a slice needs a layer_range");
  return source;
}

constexpr Key<ConfigSlice> kSliceKeys[] = {
    {"sources",
     [](ConfigSlice& slice, const Part& part) {
       for (const Part& item : part.items()) slice.sources.push_back(read_source(item, kSourceKeys));
     }},
    {"parameters", [](ConfigSlice& slice, const Part& part) { slice.parameters = read_settings(part); }},
};

void check_tokenizer(const MergeConfig& config, const Part& part, const std::string& source) {
  if (source != "base" && (config.base_model.empty() || source != config.base_model)) {
    part.fail("\"" + printable(source) + "\": only \"base\" can be had, the tokenizer that the tasks share with their base");
  }
}

void read_models(MergeConfig& config, const Part& part) {
  if (!config.slices.empty()) part.fail("give either models or slices");
  ConfigSlice slice;
  for (const Part& item : part.items()) slice.sources.push_back(read_source(item, kModelKeys));
  config.slices.push_back(std::move(slice));
}

void read_slices(MergeConfig& config, const Part& part) {
  if (!config.slices.empty()) part.fail("give either models or slices");
  for (const Part& item : part.items()) {
    ConfigSlice slice;
    read_members(slice, item, kSliceKeys);
    if (slice.sources.empty()) item.fail("a slice has no sources");
    config.slices.push_back(std::move(slice));
  }
}

constexpr Key<MergeConfig> kTokenizerKeys[] = {
    {"source", [](MergeConfig& config, const Part& part) { check_tokenizer(config, part, part.text()); }},
};
constexpr Key<MergeConfig> kKeys[] = {
    {"merge_method", [](MergeConfig& config, const Part& part) { config.method = part.text(); }},
    {"base_model", [](MergeConfig& config, const Part& part) { config.base_model = part.text(); }},
    {"models", read_models},
    {"slices", read_slices},
    {"parameters", [](MergeConfig& config, const Part& part) { config.parameters = read_settings(part); }},
    {"dtype", [](MergeConfig& config, const Part& part) { config.dtype = part.text(); }},
    {"out_dtype", [](MergeConfig& config, const Part& part) { config.out_dtype = part.text(); }},
    {"tokenizer_source", [](MergeConfig& config, const Part& part) { check_tokenizer(config, part, part.text()); }},
    {"tokenizer", [](MergeConfig& config, const Part& part) { read_members(config, part, kTokenizerKeys); }},
    {"chat_template",
     [](MergeConfig& config, const Part& part) {
       config.notes.push_back("chat_template " + printable(part.text()) + " is ignored: the result has the files of the model that it names");
     }},
};

/// base_model first: the tokenizer may be called by its name.
void read_top(MergeConfig& config, const Part& top) {
  for (const auto& [name, value] : top.members()) {
    if (name == "base_model") config.base_model = value.text();
  }
  read_members(config, top, kKeys);
}

}  // namespace

MergeConfig read_merge_config(Filesystem& fs, const std::string& path) {
  const std::string text = read_text_file(fs, path);
  const auto refuse = [&](const std::string& message) { throw Error(ErrorCode::invalid_argument, printable(path) + message); };
  if (text.size() > kMostBytes) refuse(": too large for a merge configuration");
  MergeConfig config;
  config.sha256 = dstore::sha256(as_bytes(text)).hex();
  try {
    read_top(config, Part(YAML::Load(text), path, "the file"));
  } catch (const YAML::Exception& error) {
    refuse((error.mark.is_null() ? "" : ", line " + std::to_string(error.mark.line + 1)) + ": no YAML: " + printable(error.msg));
  }
  if (config.method.empty()) refuse(": merge_method is missing");
  if (config.slices.empty() || config.slices.front().sources.empty()) refuse(": there are no models");
  return config;
}

}  // namespace dstore::cli
