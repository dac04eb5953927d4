#include "odb/condemned.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/json.h"
#include "dstore/error.h"
#include "odb/reserve.h"

namespace dstore {
namespace {

constexpr std::int64_t kVersion = 1;

std::string condemned_path(const std::string& dir) { return join_path(dir, "condemned"); }

}  // namespace

std::string Condemned::serialize() const {
  Json::Array names;
  for (const ObjectId& pack : packs) names.emplace_back(pack.hex());
  Json json;
  json.set("deleting", deleting ? 1 : 0);
  json.set("generation", static_cast<std::int64_t>(generation));
  json.set("packs", Json(std::move(names)));
  json.set("v", kVersion);
  return json.serialize() + "\n";
}

Condemned Condemned::parse(std::string_view text, std::string_view what) {
  if (!text.ends_with('\n')) throw Error(ErrorCode::corrupt, std::string(what) + ": cut short (no line feed at the end)");
  const Json json = Json::parse(text.substr(0, text.size() - 1), what);
  if (json.at("v").integer() != kVersion) throw Error(ErrorCode::unsupported, std::string(what) + ": written by a newer dstore");
  Condemned out;
  out.generation = static_cast<std::uint64_t>(std::max<std::int64_t>(0, json.at("generation").integer()));
  out.deleting = json.at("deleting").integer() != 0;
  for (const Json& pack : json.at("packs").array()) out.packs.push_back(ObjectId::parse(pack.string(), what));
  if (!std::is_sorted(out.packs.begin(), out.packs.end()) || out.serialize() != text) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": not a list of condemned packs of version 1");
  }
  return out;
}

Condemned read_condemned(Filesystem& fs, const std::string& dir) {
  const std::string path = condemned_path(dir);
  if (!exists(fs, path)) return {};
  return Condemned::parse(read_text_file(fs, path, OpenMode::read_store), printable(path));
}

void write_condemned(Filesystem& fs, const std::string& dir, const Condemned& condemned) {
  const std::string text = condemned.serialize();
  try {
    write_file_atomically(fs, condemned_path(dir), as_bytes(text));
  } catch (const NoSpace&) {
    if (!release_reserve(fs, dir)) throw;
    write_file_atomically(fs, condemned_path(dir), as_bytes(text));
  }
}

}  // namespace dstore
