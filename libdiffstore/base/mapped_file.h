#pragma once

#include <string>

#include "base/bytes.h"

namespace dstore {

/// A whole regular file mapped read-only. Used for a user's checkpoint files (which must not be truncated meanwhile).
/// Movable; the span stays valid until destruction. Thread-safe.
class MappedFile {
 public:
  /// Error{not_found}, {io}; {invalid_argument} if it is not a regular file (FIFOs and devices are never opened).
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  ByteSpan bytes() const { return {static_cast<const std::byte*>(data_), size_}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace dstore
