#pragma once

#include <algorithm>

#include "base/filesystem.h"

namespace dstore::fuzz {

/// Bytes as a file that is only read.
class MemoryFile : public File {
 public:
  explicit MemoryFile(Bytes bytes) : bytes_(std::move(bytes)) {}

  std::size_t read_at(std::uint64_t offset, MutableByteSpan out) override {
    if (offset >= bytes_.size()) return 0;
    const std::size_t size = std::min<std::size_t>(out.size(), bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), size, out.begin());
    return size;
  }
  void write_at(std::uint64_t, ByteSpan) override {}
  void truncate(std::uint64_t) override {}
  void sync() override {}
  FileInfo info() override {
    FileInfo info;
    info.size = bytes_.size();
    return info;
  }
  bool try_lock(LockMode, ByteRange) override { return true; }
  void unlock(ByteRange) override {}
  bool locked_elsewhere(ByteRange) override { return false; }
  const std::string& path() const override { return path_; }

 private:
  Bytes bytes_;
  std::string path_ = "input.pack";
};

}  // namespace dstore::fuzz
