#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/filesystem.h"

namespace dstore {

/// A TensorBoard event file: TFRecords (length, masked CRC-32C, data, masked CRC-32C) of `tensorflow.Event` messages.
class EventFile {
 public:
  /// A new file in `folder`, which is made. Of older files there, TensorBoard leaves out what they have after `done` steps.
  EventFile(const std::string& folder, long done);

  /// The numbers of a line of the log, as "train/loss", "dev/accuracy".
  void write(const nlohmann::ordered_json& record);

 private:
  void append(const std::string& message);

  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
};

/// CRC-32C (Castagnoli), as the record format masks it.
std::uint32_t masked_crc32c(ByteSpan bytes);

}  // namespace dstore
