#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/filesystem.h"

namespace dstore::cli {

/// A parameter in a merge configuration: the first entry whose filter the tensor's name contains counts. Several points are a gradient over
/// the layers.
struct ConfigValue {
  std::string filter;  ///< "" or "*": every tensor
  std::vector<std::string> points;
};
using ConfigSettings = std::map<std::string, std::vector<ConfigValue>, std::less<>>;

struct ConfigSource {
  std::string model;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> layers;  ///< [first, end) of slices
  ConfigSettings parameters;
};

struct ConfigSlice {
  std::vector<ConfigSource> sources;
  ConfigSettings parameters;
};

/// The subset of mergekit's YAML that docs/merging.md describes.
struct MergeConfig {
  std::string method, base_model, dtype, out_dtype;
  std::vector<ConfigSlice> slices;  ///< `models` are one slice without layers
  ConfigSettings parameters;
  std::vector<std::string> notes;  ///< what is ignored
  std::string sha256;              ///< of the file
};

/// Error{invalid_argument} with file, line and the nearest known key.
MergeConfig read_merge_config(Filesystem& fs, const std::string& path);

}  // namespace dstore::cli
