#include "sign/trust_files.h"

#include <chrono>
#include <thread>

#include "base/atomic_file.h"
#include "dstore/error.h"
#include "sign/allowed_signers.h"

namespace dstore {
namespace {

constexpr std::uint64_t kLargestTrustFile = 16u << 20;

std::unique_ptr<File> lock_folder(Filesystem& fs, const std::string& folder) {
  using Clock = std::chrono::steady_clock;
  make_directories(fs, parent_path(folder));
  fs.make_directory(folder, 0700);
  std::unique_ptr<File> file = fs.open(join_path(folder, "lock"), OpenMode::open_or_create, 0600);
  const Clock::time_point deadline = Clock::now() + std::chrono::seconds(10);
  while (!file->try_lock(LockMode::exclusive)) {
    if (Clock::now() > deadline)
      throw Error(ErrorCode::conflict, file->path() + ": another process has been changing keys for 10 seconds; try again");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return file;
}

}  // namespace

ConfigLock::ConfigLock(Filesystem& fs, const SigningConfig& config) : file_(lock_folder(fs, config.folder)) {}

std::string read_trust_file(Filesystem& fs, const std::string& path) {
  if (!fs.stat(path, true)) return {};
  std::unique_ptr<File> file = fs.open(path, OpenMode::read);
  FileInfo info = file->info();
  if ((info.mode & 0022) != 0)
    throw Error(ErrorCode::invalid_argument, path + ": others may write this file, so it proves nothing; run: chmod go-w " + path);
  if (info.size > kLargestTrustFile) throw Error(ErrorCode::unsupported, path + ": larger than 16 MiB");
  std::string text(info.size, '\0');
  text.resize(file->read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

void append_allowed_signer(Filesystem& fs, const SigningConfig& config, const ConfigLock&, const std::string& principal,
                           const PublicKey& key) {
  const std::string path = config.allowed_signers_path();
  const std::string line = allowed_signers_line(principal, key);
  std::string text = read_trust_file(fs, path);
  for (const AllowedSigner& signer : parse_allowed_signers(text, path).signers) {
    if (signer.key != key) continue;
    if (signer.first_principal() == principal) return;
    throw Error(ErrorCode::conflict, path + ": key " + key.fingerprint() + " is there already, as '" + signer.principals +
                                         "'; edit that line to rename it");
  }
  std::optional<FileInfo> info = fs.stat(path, false);
  if (info && info->type == FileInfo::Type::symlink)
    throw Error(ErrorCode::conflict, path + ": is a symbolic link and would be replaced; add this line to it yourself: " +
                                         line.substr(0, line.size() - 1));
  if (!text.empty() && text.back() != '\n') text += '\n';
  write_file_atomically(fs, path, as_bytes(text + line), info ? info->mode : 0600);
}

}  // namespace dstore
