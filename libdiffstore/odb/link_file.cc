#include "odb/link_file.h"

#include <algorithm>

#include "dstore/error.h"
#include "odb/layout.h"

namespace dstore {
namespace {

using namespace layout;

bool is_absolute(std::string_view path) {
  return !path.empty() && path.size() <= kMaxLinkPath && path.front() == '/' && path.find('\0') == std::string_view::npos;
}

}  // namespace

void LinkFile::finish_rows() {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.id != b.id ? a.id < b.id : a.offset < b.offset; });
  rows.erase(std::unique(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.id == b.id; }), rows.end());
}

const LinkFile::Row* LinkFile::find(const ObjectId& id) const {
  const auto at = std::lower_bound(rows.begin(), rows.end(), id, [](const Row& row, const ObjectId& wanted) { return row.id < wanted; });
  return at != rows.end() && at->id == id ? &*at : nullptr;
}

Bytes LinkFile::serialize() const {
  if (!is_absolute(path)) throw Error(ErrorCode::unsupported, printable(path) + ": cannot be linked (the path is too long, or not absolute)");
  Writer out;
  out.text(kLinkMagic);
  out.u32(kLinkVersion);
  out.u32(static_cast<std::uint32_t>(path.size()));
  out.u64(size);
  out.u64(static_cast<std::uint64_t>(mtime_ns));
  out.u64(inode);
  out.u64(rows.size());
  out.id(sha256);
  out.text(path);
  for (const Row& row : rows) {
    out.id(row.id);
    out.u64(row.offset);
    out.u64(row.size);
  }
  return out.take();
}

LinkFile LinkFile::parse(ByteSpan bytes, std::string_view what) {
  Reader reader(bytes, what);
  if (reader.text(kLinkMagic.size()) != kLinkMagic) reader.fail("not a link");
  const std::uint32_t version = reader.u32();
  if (version != kLinkVersion) throw Error(ErrorCode::unsupported, std::string(what) + ": link version " + std::to_string(version) + " is not known; use a newer dstore");
  const std::uint32_t path_size = reader.u32();
  LinkFile link;
  link.size = reader.u64();
  link.mtime_ns = static_cast<std::int64_t>(reader.u64());
  link.inode = reader.u64();
  const std::uint64_t count = reader.u64();
  link.sha256 = reader.id_or_none();
  link.path = reader.text(path_size);
  if (!is_absolute(link.path)) reader.fail("the path is not absolute, or impossible");
  if (count == 0 || reader.remaining() % kLinkRowSize != 0 || count != reader.remaining() / kLinkRowSize) reader.fail("the count does not fit the size");
  link.rows.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Row row{reader.id(), reader.u64(), reader.u64()};
    if (row.size == 0 || row.size > kMaxLinkedChunk) reader.fail("the size of a chunk is impossible");
    if (row.offset > link.size || row.size > link.size - row.offset) reader.fail("a chunk reaches beyond the file");
    if (!link.rows.empty() && !(link.rows.back().id < row.id)) reader.fail("the chunks are not in order of their ids, each once");
    link.rows.push_back(row);
  }
  reader.expect_end();
  return link;
}

}  // namespace dstore
