#include "odb/reserve.h"


namespace dstore {
namespace {

constexpr std::size_t kReserve = 64 << 10;  ///< the names of a thousand packs

std::string reserve_path(const std::string& dir) { return join_path(dir, "reserve"); }

/// Bytes that no file system makes smaller.
Bytes incompressible(std::size_t size) {
  Bytes bytes(size);
  std::uint64_t state = 0x9e3779b97f4a7c15;
  for (std::byte& byte : bytes) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    byte = static_cast<std::byte>(state >> 56);
  }
  return bytes;
}

}  // namespace

void keep_reserve(Filesystem& fs, const std::string& dir) {
  const std::string path = reserve_path(dir);
  try {
    const auto info = fs.stat(path, false);
    if (info && info->size == kReserve) return;
    if (info) fs.remove(path);
    fs.open(path, OpenMode::create_new)->write_at(0, incompressible(kReserve));
  } catch (const Error&) {
    // The disk is full already, or another process is at it.
  }
}

bool release_reserve(Filesystem& fs, const std::string& dir) {
  if (!exists(fs, reserve_path(dir))) return false;
  fs.remove(reserve_path(dir));
  return true;
}

}  // namespace dstore
