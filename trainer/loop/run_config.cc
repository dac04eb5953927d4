#include "trainer/loop/run_config.h"

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/edit_distance.h"
#include "dstore/error.h"

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
    {"tensorboard", ConfigPart::beside},
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

[[noreturn]] void fail(const std::string& file, const YAML::Mark& mark, const std::string& message) {
  const std::string line = mark.is_null() ? "" : ", line " + std::to_string(mark.line + 1);
  throw Error(ErrorCode::invalid_argument, printable(file) + line + ": " + message);
}

std::string scalar(const YAML::Node& node, const std::string& file, const std::string& key, const YAML::Mark& mark) {
  if (!node.IsScalar()) fail(file, mark, printable(key) + ": expected a value or a list of values");
  return node.Scalar();
}

}  // namespace

ConfigPart config_part(const std::string& name) {
  for (const PartRow& row : kParts) {
    if (row.name == name) return row.part;
  }
  return ConfigPart::result;
}

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

std::string config_json(const RunConfig& config) {
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
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    fail(file, error.mark, "not YAML: " + printable(error.msg));
  }
  if (!root.IsMap()) fail(file, root.Mark(), "expected options with values, as in `lr: 1e-3`");
  RunConfig config;
  for (const auto& member : root) {
    const YAML::Mark mark = member.first.Mark();
    const std::string key = scalar(member.first, file, "key", mark);
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const auto near = nearest(key, known);
      fail(file, mark, "unknown key " + printable(key) + (near ? "; did you mean " + *near + "?" : "; keys are the long names of `dstore train --help`'s options"));
    }
    if (config.contains(key)) fail(file, mark, printable(key) + " stands there twice");
    if (member.second.IsNull()) continue;
    std::vector<std::string>& values = config[key];
    if (member.second.IsSequence()) {
      for (const YAML::Node& item : member.second) values.push_back(scalar(item, file, key, mark));
    } else {
      values.push_back(scalar(member.second, file, key, mark));
    }
  }
  return config;
}

}  // namespace dstore
