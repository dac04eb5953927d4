#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// Limits of the format as every reader of it checks them.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

/// One tensor of a safetensors file; [begin, end) counts from the end of the header.
struct SafetensorsEntry {
  TensorInfo info;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  friend bool operator==(const SafetensorsEntry&, const SafetensorsEntry&) = default;
};

/// A checked header: the entries cover the data part without holes or overlaps.
struct SafetensorsHeader {
  Bytes raw;  ///< the 8 bytes of length and the JSON with its padding: the file is raw + data
  std::map<std::string, std::string> metadata;
  std::vector<SafetensorsEntry> entries;  ///< in the order of their offsets

  std::uint64_t data_bytes() const { return entries.empty() ? 0 : entries.back().end; }
};

/// Reads the header at the start of `bytes` (the file, or at least its header) of a file of `file_size` bytes.
/// Accepts a subset of what the safetensors crate accepts: strict UTF-8 and JSON, no duplicate or unknown members, only
/// spaces as padding, sizes equal to shape × dtype, offsets that cover the file exactly.
/// Error{corrupt}, or Error{unsupported} for an unknown dtype; the message names `what`, the tensor and the place.
SafetensorsHeader parse_safetensors_header(ByteSpan bytes, std::uint64_t file_size, std::string_view what);

/// Header (length, JSON, padding) of a file whose tensors stand in the order given; offsets are contiguous from 0.
/// The result parses to exactly these tensors: Error{invalid_argument} for a name or shape that it would refuse.
/// More than kMaxSafetensorsHeader bytes are {unsupported}.
Bytes render_safetensors_header(std::span<const TensorInfo> ordered,
                                const std::map<std::string, std::string>& metadata);

/// A header and the order in which the data must follow it: order[i] is an index into the tensors given.
struct SafetensorsPlan {
  Bytes header;
  std::vector<std::size_t> order;
};

/// As Python's safetensors.save_file writes the same tensors: wide dtypes first, then by name. `metadata` sorted by key
/// (the package writes more than one key in an arbitrary order).
SafetensorsPlan write_safetensors_header(std::span<const TensorInfo> tensors,
                                         const std::map<std::string, std::string>& metadata);

/// `header` with some tensors under new names (old → new): same order of members, offsets and metadata.
/// Error{invalid_argument} if a name is not there, or two tensors would share one.
Bytes rename_in_header(const SafetensorsHeader& header, const std::map<std::string, std::string>& renames);

}  // namespace dstore
