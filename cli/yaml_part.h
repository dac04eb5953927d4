#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dstore::cli {

/// A node of a YAML file that a user wrote. What is wrong with it is said with its line.
class YamlPart {
 public:
  /// `mark`: where its key stands. `file` must outlive it.
  YamlPart(const YAML::Node& node, const std::string& file, std::string name, const YAML::Mark& mark)
      : node_(node), file_(file), name_(std::move(name)), mark_(mark) {}
  YamlPart(const YAML::Node& node, const std::string& file, std::string name) : YamlPart(node, file, std::move(name), node.Mark()) {}

  /// Error{invalid_argument}: "FILE, line N: NAME: MESSAGE".
  [[noreturn]] void fail(const std::string& message) const;
  bool is_list() const { return node_.IsSequence(); }
  bool is_map() const { return node_.IsMap(); }

  std::string text() const;
  std::uint64_t number() const;
  /// The items of a list.
  std::vector<YamlPart> items() const;
  /// The items of a list, or the one value that stands there instead.
  std::vector<std::string> texts() const;
  /// Members in the order of the file, those without a value left out; a name may stand there once.
  std::vector<std::pair<std::string, YamlPart>> members() const;
  /// For a key that no table has. Fails with the nearest of the known ones, or with all.
  [[noreturn]] void fail_unknown(const std::vector<std::string>& known) const;

 private:
  YAML::Node node_;
  const std::string& file_;
  std::string name_;
  YAML::Mark mark_;
};

template <class Target>
struct YamlKey {
  std::string_view name;
  void (*read)(Target& target, const YamlPart& part);
};

/// Reads the members that the table has. Error{invalid_argument} for others.
template <class Target, std::size_t kCount>
void read_members(Target& target, const YamlPart& part, const YamlKey<Target> (&keys)[kCount]) {
  for (const auto& [name, value] : part.members()) {
    bool known = false;
    for (const YamlKey<Target>& key : keys) {
      if (key.name != name) continue;
      key.read(target, value);
      known = true;
    }
    if (known) continue;
    std::vector<std::string> names;
    for (const YamlKey<Target>& key : keys) names.emplace_back(key.name);
    value.fail_unknown(names);
  }
}

/// Parses `text`, the content of `file` (at most 1 MiB), and has its top read. Error{invalid_argument} with the place; `what` the file
/// should be: "merge configuration".
void read_yaml(const std::string& text, const std::string& file, const char* what, const std::function<void(const YamlPart&)>& read);

}  // namespace dstore::cli
