#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/filesystem.h"

namespace dstore {

/// The log of a training, one JSON object a line, in one or several files at once; each line is in them before write() returns.
class TrainingLog {
 public:
  /// The file `copy`, if one is named, has the same lines.
  TrainingLog(const std::string& path, const std::string& copy);
  /// Removes `path` unless keep() was called.
  ~TrainingLog();
  TrainingLog(const TrainingLog&) = delete;
  TrainingLog& operator=(const TrainingLog&) = delete;

  /// The first `kept` bytes of `path` are those of a training that goes on; the rest goes away.
  void begin(std::uint64_t kept);
  void write(const nlohmann::ordered_json& record);
  void sync();
  void keep() { keep_ = true; }
  std::uint64_t size() const { return size_; }
  /// All lines.
  std::string text() const;

 private:
  std::string path_;
  std::vector<std::unique_ptr<File>> files_;
  std::uint64_t size_ = 0;
  bool keep_ = false;
};

}  // namespace dstore
