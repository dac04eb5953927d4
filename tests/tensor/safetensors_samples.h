#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace dstore {

/// A safetensors file: the length, `json` as it is, and `data_bytes` bytes 0, 1, 2, ...
inline std::string safetensors_file(const std::string& json, std::size_t data_bytes = 0) {
  Writer writer;
  writer.u64(json.size());
  writer.text(json);
  for (std::size_t i = 0; i < data_bytes; ++i) writer.u8(static_cast<std::uint8_t>(i));
  return std::string(as_text(writer.data()));
}

/// {"a":{dtype,shape,data_offsets:[0,bytes]}} with `bytes` of data.
inline std::string one_tensor(const std::string& dtype, const std::string& shape, std::size_t bytes) {
  return safetensors_file("{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[0," + std::to_string(bytes) + "]}}",
                          bytes);
}

/// Two tensors and metadata, as Python writes them.
inline const std::string kSmallFile = safetensors_file(
    R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("n":{"dtype":"I8","shape":[],"data_offsets":[24,25]}}   )", 25);

struct HostileFile {
  std::string why;
  std::string bytes;
  std::string message;  ///< must be part of the error
};

/// Files that every strict reader must refuse.
std::vector<HostileFile> hostile_files();
/// Files that must be accepted.
std::vector<HostileFile> odd_but_valid_files();

}  // namespace dstore
