#include "repo/known_heads.h"

#include "dstore/error.h"
#include "repo/catalog_bundle.h"

namespace dstore {
namespace {

Bytes encode(const KnownHead& head) {
  Writer out;
  out.u8(static_cast<std::uint8_t>(head.entry.kind));
  out.u64(head.entry.sequence);
  for (const ObjectId* id : {&head.entry.repository, &head.entry.previous, &head.entry.old_commit, &head.entry.new_commit}) out.id(*id);
  out.u64(static_cast<std::uint64_t>(head.entry.time));
  out.u64(head.size);
  out.u64(static_cast<std::uint64_t>(head.mtime_ns));
  out.u64(head.inode);
  return out.take();
}

KnownHead decode(const CatalogFile::Row& row) {
  KnownHead head{{{}, RefKind::branch, RefName::parse(as_text(row.key)), 0, {}, {}, {}, 0, {}}, 0, 0, 0};
  Reader in(row.content, "catalog");
  const std::uint8_t kind = in.u8();
  if (kind > static_cast<std::uint8_t>(RefKind::forgotten)) in.fail("no such kind of ref");
  head.entry.kind = static_cast<RefKind>(kind);
  head.entry.sequence = in.u64();
  for (ObjectId* id : {&head.entry.repository, &head.entry.previous, &head.entry.old_commit, &head.entry.new_commit}) *id = in.id_or_none();
  head.entry.time = static_cast<std::int64_t>(in.u64());
  head.size = in.u64();
  head.mtime_ns = static_cast<std::int64_t>(in.u64());
  head.inode = in.u64();
  in.expect_end();
  return head;
}

/// Before the number of a bundle.
Bytes key_start(const std::string& log) {
  Writer out;
  out.sized_text(log);
  return out.take();
}

}  // namespace

std::vector<KnownHead> load_heads(CatalogFile& file, const std::string& log) {
  CatalogFile::Rows bundles = file.all(CatalogFile::Kind::head_bundle, ObjectId());
  const Bytes start = key_start(log);
  std::erase_if(bundles.rows, [&](const CatalogFile::Row& row) { return !as_text(row.key).starts_with(as_text(start)); });
  const BundledRows rows = unpack_bundles(bundles);
  std::vector<KnownHead> heads;
  heads.reserve(rows.rows.size());
  try {
    for (const CatalogFile::Row& row : rows.rows) heads.push_back(decode(row));
  } catch (const Error&) {
    heads.clear();  // of another version: they are read anew
  }
  return heads;
}

void keep_heads(CatalogFile& file, const std::string& log, const std::vector<KnownHead>& heads) {
  std::vector<Bytes> contents;
  std::vector<CatalogFile::Row> rows;
  contents.reserve(heads.size());
  for (const KnownHead& head : heads) {
    contents.push_back(encode(head));
    rows.push_back({as_bytes(head.entry.ref.text()), contents.back()});
  }
  const std::vector<Bytes> bundles = pack_bundles(rows);
  const Bytes start = key_start(log);
  for (std::size_t i = 0; i < bundles.size(); ++i) {
    Writer key;
    key.bytes(start);
    key.bytes(bundle_key(i));
    file.put(CatalogFile::Kind::head_bundle, ObjectId(), key.data(), bundles[i]);
  }
}

}  // namespace dstore
