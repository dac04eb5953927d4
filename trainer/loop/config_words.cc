#include "trainer/loop/config_words.h"

#include <algorithm>

namespace dstore {
namespace {

/// Of a single call.
constexpr std::string_view kNoKeys[] = {"help", "list-methods", "list-models", "dry-run", "quiet", "json", "config", "from-step", "restart"};

std::string long_name(const CLI::Option& option) { return option.get_lnames().empty() ? "" : option.get_lnames().front(); }

bool is_key(const CLI::Option& option) {
  const std::string name = long_name(option);
  return !name.empty() && !option.get_group().empty() && std::find(std::begin(kNoKeys), std::end(kNoKeys), name) == std::end(kNoKeys);
}

bool is_decided(const CLI::Option& option) {
  if (option.count() > 0) return true;
  const auto excluded = option.get_excludes();
  return std::any_of(excluded.begin(), excluded.end(), [](const CLI::Option* other) { return other->count() > 0; });
}

}  // namespace

std::vector<std::string> config_keys(const CLI::App& command) {
  std::vector<std::string> keys;
  for (const CLI::Option* option : command.get_options()) {
    if (is_key(*option)) keys.push_back(long_name(*option));
  }
  return keys;
}

RunConfig given_options(const CLI::App& command) {
  RunConfig config;
  for (const CLI::Option* option : command.get_options()) {
    if (!is_key(*option) || option->count() == 0) continue;
    for (const std::string& value : option->results()) config[long_name(*option)].push_back(canonical_value(value));
  }
  return config;
}

std::vector<std::string> config_words(const CLI::App& command, const RunConfig& config) {
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options()) {
    const auto found = config.find(long_name(*option));
    const bool adds_up = option->get_items_expected_max() > 1;
    if (!is_key(*option) || found == config.end() || (is_decided(*option) && !adds_up)) continue;
    for (const std::string& value : found->second) words.push_back("--" + found->first + "=" + value);
  }
  return words;
}

}  // namespace dstore
