#include "trainer/loop/training_log.h"

#include <nlohmann/json.hpp>

#include "dstore/error.h"

namespace dstore {

TrainingLog::TrainingLog(const std::string& path, const std::string& copy, std::uint64_t keep) : path_(path) {
  Filesystem& fs = posix_filesystem();
  files_.push_back(fs.open(path, OpenMode::open_or_create));
  const std::uint64_t present = files_.front()->info().size;
  size_ = std::min(present, keep);  // a machine that lost its power may have lost lines
  files_.front()->truncate(size_);
  if (copy.empty()) return;
  files_.push_back(fs.open(copy, OpenMode::open_or_create));
  files_.back()->truncate(0);
  const Bytes so_far = read_file(fs, path);
  files_.back()->write_at(0, so_far);
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
