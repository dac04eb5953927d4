#include "merge_list.h"

#include <nlohmann/json.hpp>

#include "commit_view.h"
#include "output.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

/// What a parameter can be set to.
std::string values_text(const MergeParameter& parameter) {
  std::string text;
  for (const std::string_view choice : parameter.choices) text += (text.empty() ? "" : "|") + std::string(choice);
  if (text.empty()) text = "a number";
  return text + (parameter.per_model ? ", or one for each model" : "");
}

}  // namespace

int list_merge_parameters(const Session& session, const MergeMethod& method) {
  ordered_json out = ordered_json::array();
  std::string text = std::string(method.name) + ": " + std::string(method.summary);
  for (const auto& [name, value] : method.parameters) {
    const MergeParameter& parameter = *find_merge_parameter(method.name, name);
    out.push_back({{"parameter", std::string(name)}, {"default", std::string(value)}, {"per_model", parameter.per_model}, {"choices", ordered_json::array()},
                   {"summary", std::string(parameter.summary)}});
    for (const std::string_view choice : parameter.choices) out.back()["choices"].push_back(std::string(choice));
    text += "\n  " + std::string(name) + "=" + std::string(value) + "  (" + values_text(parameter) + ")\n      " + std::string(parameter.summary);
  }
  if (session.json) print_pretty(out);
  else session.say(text);
  return 0;
}

int list_merge_methods(const Session& session) {
  constexpr std::size_t kColumns = 100;
  ordered_json out = ordered_json::array();
  Table table({"method", "parameters and defaults; --list-methods --method M explains them"});
  for (const MergeMethod* method : merge_methods()) {
    ordered_json parameters = ordered_json::object();
    std::vector<std::string> lines{std::string(method->summary), ""};
    for (const auto& [name, value] : method->parameters) {
      parameters[std::string(name)] = std::string(value);
      const std::string word = std::string(name) + "=" + std::string(value);
      if (lines.back().size() + word.size() > kColumns) lines.emplace_back();
      lines.back() += (lines.back().empty() ? "" : " ") + word;
    }
    out.push_back({{"method", std::string(method->name)}, {"summary", std::string(method->summary)}, {"parameters", std::move(parameters)}});
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!lines[i].empty()) table.add({i == 0 ? std::string(method->name) : "", lines[i]});
    }
  }
  if (session.json) {
    print_pretty(out);
    return 0;
  }
  std::string text = table.text();
  text.pop_back();
  session.say(text);
  return 0;
}

}  // namespace dstore::cli
