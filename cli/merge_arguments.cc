#include "merge_arguments.h"

#include <algorithm>

#include "base/decimal.h"
#include "dstore/error.h"

namespace dstore::cli {

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

namespace {

/// "20%" is 0.2; everything else is checked by the parameter it is for.
std::vector<std::string> densities(const std::string& text) {
  std::vector<std::string> out = split_list(text);
  for (std::string& value : out) {
    if (!value.empty() && value.back() == '%') value = shortest_decimal(parse_density(value));
  }
  return out;
}

}  // namespace

MergeSettings::Given given_merge_parameters(const Arguments& arguments) {
  MergeSettings::Given given;
  if (arguments.has("weights")) given["weight"] = split_list(arguments.get("weights"));
  if (arguments.has("preset")) given["preset"] = {arguments.get("preset")};
  if (arguments.has("density")) given["density"] = densities(arguments.get("density"));
  for (const std::string& setting : arguments.all("set")) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) throw Error(ErrorCode::invalid_argument, "--set " + printable(setting) + ": give KEY=VALUE, or KEY=V1,V2,… for each model");
    given[setting.substr(0, equals)] = split_list(setting.substr(equals + 1));
  }
  return given;
}

}  // namespace dstore::cli
