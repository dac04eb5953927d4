#include "trainer/loop/training_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dstore/error.h"

namespace dstore {

TrainingLog::TrainingLog(const std::string& path, const std::string& copy) : path_(path) {
  files_.push_back(posix_filesystem().open(path, OpenMode::open_or_create));
  if (!copy.empty()) files_.push_back(posix_filesystem().open(copy, OpenMode::open_or_create));
}

void TrainingLog::begin(std::uint64_t kept) {
  size_ = std::min(files_.front()->info().size, kept);  // a machine that lost its power may have lost lines
  files_.front()->truncate(size_);
  if (files_.size() == 1) return;
  files_.back()->truncate(0);
  files_.back()->write_at(0, read_file(posix_filesystem(), path_));
}

TrainingLog::~TrainingLog() {
  if (keep_) return;
  try {
    posix_filesystem().remove(path_);
  } catch (const Error&) {
    // It is a log of nothing; the failure that brought us here is the one to report.
  }
}

void TrainingLog::write(const nlohmann::ordered_json& record) {
  const std::string line = record.dump() + "\n";
  for (const auto& file : files_) file->write_at(size_, as_bytes(line));
  size_ += line.size();
}

void TrainingLog::sync() { files_.front()->sync(); }

std::string TrainingLog::text() const { return read_text_file(posix_filesystem(), path_, OpenMode::read, std::uint64_t{1} << 32); }

}  // namespace dstore
