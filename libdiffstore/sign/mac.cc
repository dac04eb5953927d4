#include "sign/mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/atomic_file.h"
#include "dstore/error.h"
#include "sign/trust_files.h"

namespace dstore {
namespace {

constexpr std::size_t kSecretBytes = 32;

void check(int status) {
  if (status != 1) throw Error(ErrorCode::io, "OpenSSL: HMAC-SHA256 is not available");
}

/// nullopt unless the file is there, whole and private.
std::optional<Bytes> read_secret(Filesystem& fs, const std::string& path) {
  if (!fs.stat(path, false)) return std::nullopt;
  const auto file = fs.open(path, OpenMode::read_store);
  const FileInfo info = file->info();
  Bytes secret(kSecretBytes);
  if (info.size != kSecretBytes || (info.mode & 0077) != 0 || file->read_at(0, secret) != kSecretBytes) return std::nullopt;
  return secret;
}

}  // namespace

struct MacKey::Context {
  explicit Context(EVP_MAC_CTX* context) : evp(context) {}
  ~Context() { EVP_MAC_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  EVP_MAC_CTX* evp;
};

MacKey::MacKey(ByteSpan key) {
  EVP_MAC* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  check(algorithm != nullptr ? 1 : 0);
  context_ = std::make_unique<Context>(EVP_MAC_CTX_new(algorithm));
  EVP_MAC_free(algorithm);
  check(context_->evp != nullptr ? 1 : 0);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  check(EVP_MAC_init(context_->evp, reinterpret_cast<const unsigned char*>(key.data()), key.size(), parameters));
}

MacKey::MacKey(std::unique_ptr<Context> context) : context_(std::move(context)) {}
MacKey::~MacKey() = default;
MacKey::MacKey(MacKey&&) noexcept = default;
MacKey& MacKey::operator=(MacKey&&) noexcept = default;

MacKey MacKey::clone() const {
  auto copy = std::make_unique<Context>(EVP_MAC_CTX_dup(context_->evp));
  check(copy->evp != nullptr ? 1 : 0);
  return MacKey(std::move(copy));
}

ObjectId MacKey::mac(std::initializer_list<ByteSpan> parts) const {
  std::array<std::byte, ObjectId::kSize> out;
  std::size_t size = 0;
  check(EVP_MAC_init(context_->evp, nullptr, 0, nullptr));  // the same key again
  for (const ByteSpan part : parts) check(EVP_MAC_update(context_->evp, reinterpret_cast<const unsigned char*>(part.data()), part.size()));
  check(EVP_MAC_final(context_->evp, reinterpret_cast<unsigned char*>(out.data()), &size, out.size()));
  check(size == out.size() ? 1 : 0);
  return ObjectId(std::span<const std::byte, ObjectId::kSize>(out));
}

std::optional<Bytes> catalog_secret(Filesystem& fs, const SigningConfig& config) {
  const std::string path = join_path(config.folder, "catalog_key");
  try {
    if (auto secret = read_secret(fs, path)) return secret;
    const ConfigLock lock(fs, config);
    if (auto secret = read_secret(fs, path)) return secret;  // another process was faster
    const ObjectId fresh = ObjectId::parse(random_name() + random_name(), path);
    write_file_atomically(fs, path, fresh.bytes(), 0600);
    return Bytes(fresh.bytes().begin(), fresh.bytes().end());
  } catch (const Error&) {
    return std::nullopt;  // a cache cannot be kept then; nothing else depends on it
  }
}

}  // namespace dstore
