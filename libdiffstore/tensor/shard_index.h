#pragma once

#include <map>
#include <string>
#include <string_view>

namespace dstore {

/// The `weight_map` of a `model.safetensors.index.json`: tensor name → file name. File names are plain (no '/') and
/// end in ".safetensors". Members other than weight_map are skipped. Error{corrupt} naming `what` for anything else:
/// invalid JSON or UTF-8, duplicate keys, no weight_map, nesting deeper than 32.
std::map<std::string, std::string> parse_shard_index(std::string_view text, std::string_view what);

}  // namespace dstore
