#include "base/room.h"

#include "base/size_text.h"
#include "base/speed.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::uint64_t kLarge = 1'000'000'000;
constexpr std::uint64_t kObjectOverhead = 400;  ///< record header, row of the trailer, rows of the index, tables
constexpr std::uint64_t kFixedOverhead = 64 << 10;

std::string existing_folder(Filesystem& fs, std::string path) {
  while (!fs.stat(path, true) && parent_path(path) != path) path = parent_path(path);
  return path;
}

std::uint64_t free_at(Filesystem& fs, const std::string& path) { return fs.free_space(existing_folder(fs, path)); }

std::string with_comma(const std::string& text) { return text.empty() ? text : ", " + text; }

}  // namespace

bool has_room(Filesystem& fs, const std::string& path, std::uint64_t bytes) { return bytes <= free_at(fs, path); }

void require_room(Filesystem& fs, const std::string& path, std::uint64_t bytes, std::string_view what, const Notice& notice) {
  const std::uint64_t free = free_at(fs, path);
  const std::string sizes = std::string(what) + " writes up to " + human_size(bytes) + ", " + human_size(free) + " free";
  if (bytes > free) throw Error(ErrorCode::io, printable(path) + ": " + sizes + "; nothing was written, free some space and try again");
  if (bytes >= kLarge && notice) notice(sizes + with_comma(duration_text(bytes, measured_speed(fs, existing_folder(fs, path)))));
}

void announce_reading(std::uint64_t bytes, std::string_view what, const Notice& notice) {
  if (bytes < kLarge || !notice) return;
  notice(std::string(what) + " reads " + human_size(bytes) + with_comma(duration_text(bytes, measured_hash_speed())));
}

std::uint64_t packed_size(std::uint64_t objects, std::uint64_t bytes) {
  return objects == 0 ? 0 : bytes + objects * kObjectOverhead + kFixedOverhead;
}

}  // namespace dstore
