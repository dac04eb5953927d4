#include "base/sha256.h"

#include <openssl/evp.h>

#include "dstore/error.h"

namespace dstore {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

namespace {
void check(int status) {
  if (status != 1) throw Error(ErrorCode::io, "OpenSSL: SHA-256 is not available");
}
}  // namespace

Sha256::Sha256() : context_(std::make_unique<Context>()) { check(EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr)); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteSpan bytes) { check(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size())); }

ObjectId Sha256::finish() {
  std::array<std::byte, ObjectId::kSize> digest;
  check(EVP_DigestFinal_ex(context_->evp, reinterpret_cast<unsigned char*>(digest.data()), nullptr));
  return ObjectId(std::span<const std::byte, ObjectId::kSize>(digest));
}

ObjectId sha256(ByteSpan bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace dstore
