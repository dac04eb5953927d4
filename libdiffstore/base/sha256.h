#pragma once

#include <memory>

#include "base/bytes.h"

namespace dstore {

/// Streaming SHA-256 (OpenSSL EVP). Not thread-safe; one per stream.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(ByteSpan bytes);
  /// The digest of all bytes so far; the object cannot be used afterwards.
  ObjectId finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

ObjectId sha256(ByteSpan bytes);

}  // namespace dstore
