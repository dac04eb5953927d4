#include "merge_config.h"

#include "base/bytes.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "yaml_part.h"

namespace dstore::cli {
namespace {

constexpr YamlKey<ConfigValue> kValueKeys[] = {
    {"filter", [](ConfigValue& value, const YamlPart& part) { value.filter = part.text(); }},
    {"value", [](ConfigValue& value, const YamlPart& part) { value.points = part.texts(); }},
};

ConfigValue read_conditional(const YamlPart& part) {
  ConfigValue value;
  read_members(value, part, kValueKeys);
  if (value.points.empty()) part.fail("an entry of a list of filters needs a value");
  return value;
}

std::vector<ConfigValue> read_setting(const YamlPart& part) {
  if (part.is_map()) return {read_conditional(part)};
  if (part.is_list()) {
    const std::vector<YamlPart> items = part.items();
    if (items.empty() || items.front().is_map()) {
      std::vector<ConfigValue> out;
      for (const YamlPart& item : items) out.push_back(read_conditional(item));
      return out;
    }
  }
  return {{"", part.texts()}};
}

ConfigSettings read_settings(const YamlPart& part) {
  ConfigSettings out;
  for (const auto& [name, value] : part.members()) out.emplace(name, read_setting(value));
  return out;
}

constexpr YamlKey<ConfigSource> kModelKeys[] = {
    {"model", [](ConfigSource& source, const YamlPart& part) { source.model = part.text(); }},
    {"parameters", [](ConfigSource& source, const YamlPart& part) { source.parameters = read_settings(part); }},
};
constexpr YamlKey<ConfigSource> kSourceKeys[] = {
    kModelKeys[0],
    kModelKeys[1],
    {"layer_range",
     [](ConfigSource& source, const YamlPart& part) {
       const std::vector<YamlPart> ends = part.items();
       if (ends.size() != 2 || ends[0].number() >= ends[1].number()) part.fail("expected [FIRST, END], the layers from FIRST up to END");
       source.layers = {ends[0].number(), ends[1].number()};
     }},
};

template <std::size_t kCount>
ConfigSource read_source(const YamlPart& part, const YamlKey<ConfigSource> (&keys)[kCount]) {
  ConfigSource source;
  read_members(source, part, keys);
  if (source.model.empty()) part.fail("an entry has no model");
  if (kCount > 2 && !source.layers) part.fail("a source of a slice needs a layer_range");
  return source;
}

constexpr YamlKey<ConfigSlice> kSliceKeys[] = {
    {"sources",
     [](ConfigSlice& slice, const YamlPart& part) {
       for (const YamlPart& item : part.items()) slice.sources.push_back(read_source(item, kSourceKeys));
     }},
    {"parameters", [](ConfigSlice& slice, const YamlPart& part) { slice.parameters = read_settings(part); }},
};

void check_tokenizer(const MergeConfig& config, const YamlPart& part, const std::string& source) {
  if (source != "base" && (config.base_model.empty() || source != config.base_model)) {
    part.fail("\"" + printable(source) + "\": only \"base\" can be had, the tokenizer that the tasks share with their base");
  }
}

void read_models(MergeConfig& config, const YamlPart& part) {
  if (!config.slices.empty()) part.fail("give either models or slices");
  ConfigSlice slice;
  for (const YamlPart& item : part.items()) slice.sources.push_back(read_source(item, kModelKeys));
  config.slices.push_back(std::move(slice));
}

void read_slices(MergeConfig& config, const YamlPart& part) {
  if (!config.slices.empty()) part.fail("give either models or slices");
  for (const YamlPart& item : part.items()) {
    ConfigSlice slice;
    read_members(slice, item, kSliceKeys);
    if (slice.sources.empty()) item.fail("a slice has no sources");
    config.slices.push_back(std::move(slice));
  }
}

constexpr YamlKey<MergeConfig> kTokenizerKeys[] = {
    {"source", [](MergeConfig& config, const YamlPart& part) { check_tokenizer(config, part, part.text()); }},
};
constexpr YamlKey<MergeConfig> kKeys[] = {
    {"merge_method", [](MergeConfig& config, const YamlPart& part) { config.method = part.text(); }},
    {"base_model", [](MergeConfig& config, const YamlPart& part) { config.base_model = part.text(); }},
    {"models", read_models},
    {"slices", read_slices},
    {"parameters", [](MergeConfig& config, const YamlPart& part) { config.parameters = read_settings(part); }},
    {"dtype", [](MergeConfig& config, const YamlPart& part) { config.dtype = part.text(); }},
    {"out_dtype", [](MergeConfig& config, const YamlPart& part) { config.out_dtype = part.text(); }},
    {"tokenizer_source", [](MergeConfig& config, const YamlPart& part) { check_tokenizer(config, part, part.text()); }},
    {"tokenizer", [](MergeConfig& config, const YamlPart& part) { read_members(config, part, kTokenizerKeys); }},
    {"chat_template",
     [](MergeConfig& config, const YamlPart& part) {
       config.notes.push_back("chat_template " + printable(part.text()) + " is ignored: the result has the files of the model that it names");
     }},
};

/// base_model first: the tokenizer may be called by its name.
void read_top(MergeConfig& config, const YamlPart& top) {
  for (const auto& [name, value] : top.members()) {
    if (name == "base_model") config.base_model = value.text();
  }
  read_members(config, top, kKeys);
}

}  // namespace

MergeConfig read_merge_config(Filesystem& fs, const std::string& path) {
  const std::string text = read_text_file(fs, path);
  MergeConfig config;
  config.sha256 = dstore::sha256(as_bytes(text)).hex();
  read_yaml(text, path, "merge configuration", [&](const YamlPart& top) { read_top(config, top); });
  const auto refuse = [&](const std::string& message) { throw Error(ErrorCode::invalid_argument, printable(path) + message); };
  if (config.method.empty()) refuse(": merge_method is missing");
  if (config.slices.empty() || config.slices.front().sources.empty()) refuse(": there are no models");
  return config;
}

}  // namespace dstore::cli
