#include "sign/signing_config.h"

#include <openssl/crypto.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/atomic_file.h"
#include "dstore/error.h"
#include "sign/principal.h"
#include "sign/trust_files.h"

namespace dstore {
namespace {

constexpr const char* kKeyVariable = "DSTORE_KEY";
constexpr std::string_view kPemBegin = "-----BEGIN";
constexpr std::uint64_t kLargestKeyFile = 1u << 16;

// Empty if unset.
std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::string_view(value) : std::string_view();
}

std::string config_folder() {
  if (std::string_view folder = environment("DSTORE_CONFIG_HOME"); !folder.empty()) return std::string(folder);
  // The base directory specification has relative values ignored.
  if (std::string_view home = environment("XDG_CONFIG_HOME"); home.starts_with('/')) return join_path(home, "dstore");
  if (std::string_view home = environment("HOME"); !home.empty()) return join_path(home, ".config/dstore");
  throw Error(ErrorCode::invalid_argument, "no place for keys: set HOME or DSTORE_CONFIG_HOME");
}

// Text that is wiped, from a file that only its owner may read.
SecretText read_key_file(Filesystem& fs, const std::string& path) {
  std::unique_ptr<File> file = fs.open(path, OpenMode::read);
  FileInfo info = file->info();
  if ((info.mode & 0077) != 0) {
    throw Error(ErrorCode::invalid_argument,
                path + ": others may read or write this private key, so it is not used; run: chmod 600 " + path);
  }
  if (info.size > kLargestKeyFile) throw Error(ErrorCode::corrupt, path + ": too large for a private key file");
  Bytes bytes(info.size);
  bytes.resize(file->read_at(0, bytes));
  return SecretText(std::move(bytes));
}

}  // namespace

SigningConfig SigningConfig::from_environment() {
  SigningConfig config;
  config.folder = config_folder();
  std::string_view key = environment(kKeyVariable);
  config.key_in_environment = key.starts_with(kPemBegin);
  config.key_path = key.empty() || config.key_in_environment ? join_path(config.folder, "id_ed25519") : std::string(key);
  return config;
}

std::string default_identity() {
  passwd entry{};
  passwd* user = nullptr;
  char strings[4096];  // an entry that is longer counts as none
  getpwuid_r(geteuid(), &entry, strings, sizeof strings, &user);
  const std::string name = user ? user->pw_name : std::string(environment("USER"));
  char host[256] = {};
  if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') host[0] = '\0';
  return plain_principal(name) + "@" + plain_principal(host[0] ? host : "localhost");
}

std::optional<PrivateKey> find_private_key(Filesystem& fs, const SigningConfig& config) {
  if (config.key_in_environment) return PrivateKey::parse(environment(kKeyVariable), kKeyVariable);
  if (!exists(fs, config.key_path)) return std::nullopt;
  return PrivateKey::parse(read_key_file(fs, config.key_path).text(), config.key_path);
}

PrivateKey load_private_key(Filesystem& fs, const SigningConfig& config) {
  std::optional<PrivateKey> key = find_private_key(fs, config);
  if (!key) {
    throw Error(ErrorCode::not_found, config.key_path +
                                          ": there is no private key; make one with `dstore key new` or let DSTORE_KEY name one");
  }
  return std::move(*key);
}

PublicKey create_key(Filesystem& fs, const SigningConfig& config, const std::string& identity) {
  if (config.key_in_environment)
    throw Error(ErrorCode::conflict, "DSTORE_KEY holds a private key already; unset it to make another one");
  const std::string public_path = config.key_path + ".pub";
  ConfigLock lock(fs, config);
  make_directories(fs, parent_path(config.key_path));
  for (const std::string& path : {config.key_path, public_path}) {
    if (fs.stat(path, false)) throw Error(ErrorCode::conflict, path + ": exists already and is never overwritten");
  }
  const PrivateKey key = PrivateKey::generate(identity);
  // Trust first: a crash in between leaves a line for a key that nobody has, never a key that its owner does not trust.
  append_allowed_signer(fs, config, lock, identity, key.public_key());
  AtomicFile file(fs, config.key_path, 0600);
  file.write(key.serialize().bytes());
  if (!file.commit_new()) throw Error(ErrorCode::conflict, config.key_path + ": somebody else just made it");
  AtomicFile public_file(fs, public_path, 0644);
  public_file.write(as_bytes(PublicKeyLine{key.public_key(), identity}.text() + "\n"));
  public_file.commit_new();
  return key.public_key();
}

}  // namespace dstore
