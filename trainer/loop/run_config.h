#pragma once

#include <map>
#include <string>
#include <vector>

namespace dstore {

/// Options of a training by their long names without dashes, as typed; most have one value.
using RunConfig = std::map<std::string, std::vector<std::string>>;

/// How an option takes part in what a run is.
enum class ConfigPart {
  result,  ///< decides the result, bit for bit
  rate,    ///< the same, but may be changed where the loss was not finite
  data,    ///< a path: what counts is the content
  beside,  ///< what is saved and shown on the way; decides no bit
};
ConfigPart config_part(const std::string& name);
/// Whether its value names a file or folder.
bool is_path(const std::string& name);

/// Those that decide the result but the rates.
RunConfig identity_of(const RunConfig& config);
/// What the commit keeps: all that decide the result, and the paths.
RunConfig recorded_part(const RunConfig& config);
/// "lr 0.001, not 0.01; seed 1, not 2": where `now` differs from `before`; empty where it does not.
std::string differences(const RunConfig& before, const RunConfig& now, bool rates_may_differ);
/// A decimal number in its shortest form, all else as it is.
std::string canonical_value(const std::string& value);

/// One line of JSON: {"batch":"32","set":["a=1","b=2"]}.
std::string config_line(const RunConfig& config);
/// YAML or JSON with the options' long names as keys: texts, numbers, yes/no, lists. Error{invalid_argument} with the line; for a key that is not
/// in `known`, with the nearest one.
RunConfig parse_config(const std::string& text, const std::string& file, const std::vector<std::string>& known);

}  // namespace dstore
