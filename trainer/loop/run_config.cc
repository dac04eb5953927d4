#include "trainer/loop/run_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/decimal.h"
#include "cli/yaml_part.h"

namespace dstore {
namespace {

struct PartRow {
  std::string_view name;
  ConfigPart part;
};
/// All others decide the result.
constexpr PartRow kParts[] = {
    {"lr", ConfigPart::rate},          {"head-lr", ConfigPart::rate},    {"clip", ConfigPart::rate},
    {"data", ConfigPart::data},        {"dev", ConfigPart::data},        {"test", ConfigPart::data},
    {"save-every", ConfigPart::beside}, {"threads", ConfigPart::beside}, {"log", ConfigPart::beside},
    {"tensorboard", ConfigPart::beside}, {"ignore-memory", ConfigPart::beside}, {"checkpoint-activations", ConfigPart::beside},
};

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : " ") + printable(value);
  return text;
}

RunConfig select(const RunConfig& config, bool (*take)(const std::string& name)) {
  RunConfig out;
  for (const auto& [name, values] : config) {
    if (take(name)) out.emplace(name, values);
  }
  return out;
}

}  // namespace

ConfigPart config_part(const std::string& name) {
  for (const PartRow& row : kParts) {
    if (row.name == name) return row.part;
  }
  return ConfigPart::result;
}

bool is_path(const std::string& name) { return config_part(name) == ConfigPart::data || name == "log" || name == "tensorboard"; }

RunConfig identity_of(const RunConfig& config) {
  return select(config, [](const std::string& name) { return config_part(name) == ConfigPart::result; });
}

RunConfig recorded_part(const RunConfig& config) {
  return select(config, [](const std::string& name) { return name == "threads" || config_part(name) != ConfigPart::beside; });
}

std::string differences(const RunConfig& before, const RunConfig& now, bool rates_may_differ) {
  std::string text;
  const auto add = [&](const std::string& name, const std::vector<std::string>& was, const std::vector<std::string>& is) {
    const ConfigPart part = config_part(name);
    if (was == is || part == ConfigPart::data || part == ConfigPart::beside || (part == ConfigPart::rate && rates_may_differ)) return;
    const auto words = [](const std::vector<std::string>& values) { return values.empty() ? std::string("not given") : joined(values); };
    text += (text.empty() ? "" : "; ") + name + " " + words(was) + ", not " + words(is);
  };
  for (const auto& [name, values] : before) add(name, values, now.contains(name) ? now.at(name) : std::vector<std::string>());
  for (const auto& [name, values] : now) {
    if (!before.contains(name)) add(name, {}, values);
  }
  return text;
}

std::string canonical_value(const std::string& value) {
  const auto number = value.find_first_of(".eE") == std::string::npos ? std::nullopt : parse_number(value);
  return number ? shortest_decimal(*number) : value;
}

std::string config_line(const RunConfig& config) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, values] : config) {
    if (values.size() == 1 && name != "set") {
      json[name] = values.front();
    } else {
      json[name] = values;
    }
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

RunConfig parse_config(const std::string& text, const std::string& file, const std::vector<std::string>& known) {
  RunConfig config;
  cli::read_yaml(text, file, "training configuration", [&](const cli::YamlPart& top) {
    for (const auto& [key, part] : top.members()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) part.fail_unknown(known);
      config[key] = part.texts();
    }
  });
  return config;
}

}  // namespace dstore
