#include "repo/catalog_bundle.h"

#include "base/parallel.h"
#include "dstore/error.h"
#include "odb/object_codec.h"

namespace dstore {
namespace {

constexpr std::size_t kBundleBytes = 1 << 20;     ///< before compression; a longer row has a bundle of its own
constexpr std::uint64_t kLongestBundle = 1 << 30;

Bytes pack(const Bytes& raw) {
  const EncodedObject encoded = encode_object(ObjectKind::weights, raw);
  Writer out;
  out.u8(static_cast<std::uint8_t>(encoded.codec));
  out.u64(raw.size());
  out.bytes(encoded.codec == Codec::none ? ByteSpan(raw) : ByteSpan(encoded.bytes));
  return out.take();
}

/// The rows' bytes, which stand in `block`.
ByteSpan unpack(ByteSpan bundle, std::unique_ptr<std::byte[]>& block) {
  Reader in(bundle, "catalog");
  const auto codec = codec_from_code(in.u8());
  const std::uint64_t size = in.u64();
  const ByteSpan stored = in.bytes(in.remaining());
  if (!codec || size > kLongestBundle || record_problem(ObjectKind::weights, *codec, size, stored.size())) in.fail("no bundle of rows");
  block = std::make_unique_for_overwrite<std::byte[]>(size);
  const MutableByteSpan raw(block.get(), size);
  if (*codec == Codec::none) {
    std::copy(stored.begin(), stored.end(), raw.begin());
  } else {
    decode_object(*codec, stored, raw, "catalog");
  }
  return raw;
}

std::vector<CatalogFile::Row> split(ByteSpan raw) {
  std::vector<CatalogFile::Row> rows;
  Reader in(raw, "catalog");
  while (in.remaining() > 0) {
    const ByteSpan key = in.bytes(in.u32());
    rows.push_back({key, in.bytes(in.u32())});
  }
  return rows;
}

}  // namespace

std::vector<Bytes> pack_bundles(const std::vector<CatalogFile::Row>& rows) {
  std::vector<Bytes> bundles;
  Writer raw;
  for (const CatalogFile::Row& row : rows) {
    for (const ByteSpan part : {row.key, row.content}) raw.sized_text(as_text(part));
    if (raw.size() >= kBundleBytes) bundles.push_back(pack(raw.take()));
  }
  if (raw.size() > 0) bundles.push_back(pack(raw.take()));
  return bundles;
}

Bytes bundle_key(std::size_t number) {
  Writer out;
  out.u32(static_cast<std::uint32_t>(number));
  return out.take();
}

BundledRows unpack_bundles(const CatalogFile::Rows& bundles) {
  BundledRows out;
  out.blocks.resize(bundles.rows.size());
  std::vector<std::vector<CatalogFile::Row>> parts(bundles.rows.size());
  parallel_for(parts.size(), 0, [&](std::size_t i) {
    try {
      parts[i] = split(unpack(bundles.rows[i].content, out.blocks[i]));
    } catch (const Error&) {
      parts[i].clear();
    }
  });
  for (const auto& part : parts) out.rows.insert(out.rows.end(), part.begin(), part.end());
  return out;
}

}  // namespace dstore
