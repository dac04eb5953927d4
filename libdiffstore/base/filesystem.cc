#include "base/filesystem.h"

#include <sys/random.h>

#include <array>

#include "dstore/error.h"

namespace dstore {

Mapping Filesystem::map(const std::string& path) {
  const auto bytes = std::make_shared<const Bytes>(read_file(*this, path, OpenMode::read, ~std::uint64_t{0}));
  return {bytes, *bytes};
}

bool exists(Filesystem& fs, const std::string& path) { return fs.stat(path, false).has_value(); }

Bytes read_file(Filesystem& fs, const std::string& path, OpenMode mode, std::uint64_t limit) {
  const auto file = fs.open(path, mode);
  const std::uint64_t size = file->info().size;
  if (size > limit) {
    throw Error(ErrorCode::invalid_argument, path + ": " + std::to_string(size) + " bytes, at most " + std::to_string(limit) + " are read here");
  }
  Bytes bytes(size);
  if (file->read_at(0, bytes) != size) throw Error(ErrorCode::io, path + ": became shorter while it was read");
  return bytes;
}

std::string read_text_file(Filesystem& fs, const std::string& path, OpenMode mode, std::uint64_t limit) {
  return std::string(as_text(read_file(fs, path, mode, limit)));
}

void make_directories(Filesystem& fs, const std::string& path) {
  if (path.empty() || path == "/") return;
  if (const auto info = fs.stat(path, true)) {
    if (info->type == FileInfo::Type::directory) return;
    throw Error(ErrorCode::conflict, path + ": exists and is not a folder");
  }
  const std::string parent = parent_path(path);
  make_directories(fs, parent);
  if (fs.make_directory(path)) fs.sync_directory(parent);
}

void remove_tree(Filesystem& fs, const std::string& path) {
  const auto info = fs.stat(path, false);
  if (!info) return;
  if (info->type == FileInfo::Type::directory) {
    for (const std::string& name : fs.list(path)) remove_tree(fs, join_path(path, name));
  }
  fs.remove(path);
}

std::string join_path(std::string_view dir, std::string_view name) {
  if (dir.empty()) return std::string(name);
  std::string out(dir);
  if (out.back() != '/') out += '/';
  out += name;
  return out;
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string file_name(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

namespace {

/// ".git", ".dstore" and ".dstore-*", in capitals too: folders that git and dstore act on belong to their user alone.
bool is_reserved(std::string_view part) {
  std::string lower(part.substr(0, 8));
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return ((lower == ".git" || lower == ".dstore") && part.size() == lower.size()) || lower == ".dstore-";
}

}  // namespace

bool is_safe_relative_path(std::string_view path) {
  if (path.empty() || path.size() > 4096 || !is_utf8(path)) return false;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\') return false;
  }
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    if (part.empty() || part == "." || part == ".." || part.size() > 255 || is_reserved(part)) return false;
    at = slash + 1;
  }
  return true;
}

std::string random_name() {
  std::array<unsigned char, 16> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw Error(ErrorCode::io, "the system's random source failed");
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char b : bytes) out += {kDigits[b >> 4], kDigits[b & 15]};
  return out;
}

}  // namespace dstore
