#pragma once

#include <memory>
#include <optional>

#include "sign/signing_config.h"

namespace dstore {

/// HMAC-SHA256 under one key (OpenSSL). Not thread-safe; copies for other threads come from clone().
class MacKey {
 public:
  explicit MacKey(ByteSpan key);
  ~MacKey();
  MacKey(MacKey&&) noexcept;
  MacKey& operator=(MacKey&&) noexcept;

  MacKey clone() const;
  /// Over the parts as if they were one text: the caller frames them.
  ObjectId mac(std::initializer_list<ByteSpan> parts) const;

 private:
  struct Context;
  explicit MacKey(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

/// The user's own 32 random bytes (FOLDER/catalog_key, mode 0600), made when they are first asked for: what a cache in a
/// shared folder is authenticated with. A file of another size, or one that others may read, is replaced. nullopt if it
/// can be neither read nor made.
std::optional<Bytes> catalog_secret(Filesystem& fs, const SigningConfig& config);

}  // namespace dstore
