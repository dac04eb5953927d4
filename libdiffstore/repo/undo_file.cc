#include "repo/undo_file.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/json.h"
#include "delta/bits.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::string_view kMagic = "DSTOREUN";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kDigestBytes = ObjectId::kSize;
constexpr std::size_t kJoin = 4;             ///< a run costs about as much
constexpr std::uint64_t kPartBytes = 4u << 20;
constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kBuffer = 1u << 20;

enum class Block : std::uint8_t { patch = 1, bytes = 2, copy = 3 };

std::uint64_t check_of(ByteSpan bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void put_varint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>(value | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

/// Of at most five bytes, the shortest form.
std::uint64_t get_varint(Reader& reader) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    const std::uint64_t byte = reader.u8();
    value |= (byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    if (byte == 0 && shift > 0) break;
    return value;
  }
  reader.fail("a number is not written as it should be");
}

struct Run {
  std::uint64_t begin;
  std::uint64_t size;
};

/// Error{corrupt} unless the runs lie in the range, do not touch and have `total` bytes together.
std::vector<Run> parse_runs(ByteSpan table, std::uint64_t range, std::uint64_t total, std::string_view what) {
  Reader reader(table, what);
  std::vector<Run> runs;
  std::uint64_t at = 0, sum = 0;
  while (reader.remaining() > 0) {
    const std::uint64_t gap = get_varint(reader);
    const std::uint64_t size = get_varint(reader);
    if (size == 0 || (gap == 0 && !runs.empty()) || gap > range - at || size > range - at - gap) reader.fail("a run lies outside of its range");
    runs.push_back({at + gap, size});
    at += gap + size;
    sum += size;
  }
  if (sum != total || runs.empty()) reader.fail("the runs have another size");
  return runs;
}

std::string head_text(const UndoHead& head) {
  Json files;
  for (const auto& [old_path, now] : head.files) files.set(old_path, now);
  Json json;
  json.set("v", 1);
  json.set("record", head.record);
  json.set("commit", head.commit);
  json.set("files", std::move(files));
  return json.serialize();
}

UndoHead parse_head(std::string_view text, std::string_view what) {
  const Json json = Json::parse(text, what);
  UndoHead head;
  head.record = json.at("record").string();
  head.commit = ObjectId::parse(json.at("commit").string(), what).hex();
  for (const auto& [old_path, now] : json.at("files").object()) {
    if (!is_safe_relative_path(old_path) || !(now.string().empty() || is_safe_relative_path(now.string()))) {
      throw Error(ErrorCode::corrupt, std::string(what) + ": names a path outside the folder");
    }
    head.files.emplace(old_path, now.string());
  }
  if (json.at("v").integer() != 1) throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  if (head_text(head) != text) throw Error(ErrorCode::corrupt, std::string(what) + ": not an undo file of version 1");
  return head;
}

/// Where they, equally long, differ: calls visit(begin, end) for runs in order; gaps of fewer than `join` equal bytes are part of a run.
template <class Visit>
void for_each_difference(ByteSpan before, ByteSpan after, std::size_t join, Visit visit) {
  const std::size_t size = before.size();
  const auto equal_here = [&](std::size_t at) { return before[at] == after[at]; };
  const auto skip_equal = [&](std::size_t at) {
    for (; at + 64 <= size && std::memcmp(before.data() + at, after.data() + at, 64) == 0;) at += 64;
    for (; at + 8 <= size; at += 8) {
      const std::uint64_t diff = load_le<std::uint64_t>(before.data() + at) ^ load_le<std::uint64_t>(after.data() + at);
      if (diff != 0) return at + static_cast<std::size_t>(std::countr_zero(diff)) / 8;
    }
    while (at < size && equal_here(at)) ++at;
    return at;
  };
  for (std::size_t begin = skip_equal(0); begin < size;) {
    std::size_t end = begin + 1;
    std::size_t next = end;
    for (;;) {
      while (end < size && !equal_here(end)) ++end;
      next = skip_equal(end);
      if (next >= size || next - end >= join) break;
      end = next;
    }
    visit(begin, end);
    begin = next;
  }
}

}  // namespace

void write_changed_pages(File& file, std::uint64_t offset, ByteSpan before, ByteSpan after) {
  std::size_t begin = 0, end = 0;
  const auto flush = [&] {
    if (begin < end) file.write_at(offset + begin, after.subspan(begin, end - begin));
  };
  for_each_difference(before, after, kPage, [&](std::size_t from, std::size_t to) {
    const std::uint64_t first = offset + from, last = offset + to;
    const std::size_t page_begin = first - first % kPage < offset ? 0 : static_cast<std::size_t>(first - first % kPage - offset);
    const std::size_t page_end = std::min<std::uint64_t>(before.size(), (last + kPage - 1) / kPage * kPage - offset);
    if (page_begin > end) {
      flush();
      begin = page_begin;
    }
    end = page_end;
  });
  flush();
}

void UndoPatch::restore(MutableByteSpan range, bool check_present, std::string_view what) const {
  const std::vector<Run> found = parse_runs(runs, range.size(), old_bytes.size(), what);
  if (check_present) {
    Bytes present;
    present.reserve(old_bytes.size());
    for (const Run& run : found) {
      const ByteSpan bytes = range.subspan(run.begin, run.size);
      present.insert(present.end(), bytes.begin(), bytes.end());
    }
    if (check_of(present) != new_check) {
      throw Error(ErrorCode::conflict, std::string(what) + ": bytes " + std::to_string(offset) + " to " + std::to_string(offset + size - 1) + " were changed since");
    }
  }
  const std::byte* from = old_bytes.data();
  for (const Run& run : found) {
    std::memcpy(range.data() + run.begin, from, run.size);
    from += run.size;
  }
}

UndoWriter::UndoWriter(Filesystem& fs, std::string path, const UndoHead& head) : fs_(fs), path_(std::move(path)) {
  for (const auto& [old_path, now] : head.files) numbers_.emplace(old_path, static_cast<std::uint32_t>(numbers_.size()));
  file_ = fs_.open(path_, OpenMode::create_new);
  Writer writer;
  writer.text(kMagic);
  writer.u32(kVersion);
  writer.sized_text(head_text(head));
  put(writer.data());
}

UndoWriter::~UndoWriter() {
  if (finished_) return;
  file_.reset();
  try {
    fs_.remove(path_);
  } catch (const Error&) {
    // A temporary file stays; the next command in this folder removes it.
  }
}

std::uint32_t UndoWriter::number(const std::string& file) const { return numbers_.at(file); }

void UndoWriter::put(ByteSpan bytes) {
  hash_.update(bytes);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= kBuffer) flush();
}

void UndoWriter::flush() {
  if (buffer_.empty()) return;
  file_->write_at(written_, buffer_);
  file_->start_writeback(written_, buffer_.size());
  written_ += buffer_.size();
  buffer_.clear();
}

std::uint64_t UndoWriter::patch(const std::string& file, std::uint64_t offset, ByteSpan before, ByteSpan after) {
  Bytes runs, old_bytes, new_bytes;
  std::size_t last = 0;
  for_each_difference(before, after, kJoin, [&](std::size_t begin, std::size_t end) {
    put_varint(runs, begin - last);
    put_varint(runs, end - begin);
    old_bytes.insert(old_bytes.end(), before.begin() + static_cast<std::ptrdiff_t>(begin), before.begin() + static_cast<std::ptrdiff_t>(end));
    new_bytes.insert(new_bytes.end(), after.begin() + static_cast<std::ptrdiff_t>(begin), after.begin() + static_cast<std::ptrdiff_t>(end));
    last = end;
  });
  if (runs.empty()) return 0;
  Writer head;
  head.u8(static_cast<std::uint8_t>(Block::patch));
  head.u32(number(file));
  head.u64(offset);
  head.u64(before.size());
  head.u64(check_of(old_bytes));
  head.u64(check_of(new_bytes));
  head.u32(static_cast<std::uint32_t>(runs.size()));
  head.u32(static_cast<std::uint32_t>(old_bytes.size()));
  put(head.data());
  put(runs);
  put(old_bytes);
  return old_bytes.size();
}

void UndoWriter::bytes(const std::string& file, std::uint64_t offset, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ByteSpan part = bytes.first(std::min<std::uint64_t>(kPartBytes, bytes.size()));
    Writer head;
    head.u8(static_cast<std::uint8_t>(Block::bytes));
    head.u32(number(file));
    head.u64(offset);
    head.u64(part.size());
    put(head.data());
    put(part);
    offset += part.size();
    bytes = bytes.subspan(part.size());
  }
}

void UndoWriter::copy(const std::string& file, std::uint64_t offset, std::uint64_t size, const std::string& from, std::uint64_t from_offset) {
  if (size == 0) return;
  Writer head;
  head.u8(static_cast<std::uint8_t>(Block::copy));
  head.u32(number(file));
  head.u64(offset);
  head.u64(size);
  head.u64(from_offset);
  head.sized_text(from);
  put(head.data());
}

std::uint64_t UndoWriter::finish() {
  flush();
  const ObjectId digest = hash_.finish();
  file_->write_at(written_, digest.bytes());
  file_->sync();
  file_.reset();
  finished_ = true;
  return written_ + kDigestBytes;
}

UndoFile::UndoFile(Filesystem& fs, const std::string& path) : path_(printable(path)) {
  const auto info = fs.stat(path, false);
  if (!info || info->type != FileInfo::Type::regular) throw Error(ErrorCode::not_found, path_ + ": no such file");
  mapping_ = fs.map(path);
  if (mapping_.bytes.size() < kDigestBytes) throw Error(ErrorCode::corrupt, path_ + ": too short for an undo file");
  const ByteSpan body = mapping_.bytes.first(mapping_.bytes.size() - kDigestBytes);
  Reader reader(body, path_);
  if (body.size() < kMagic.size() || reader.text(kMagic.size()) != kMagic) throw Error(ErrorCode::corrupt, path_ + ": not an undo file");
  if (!std::ranges::equal(sha256(body).bytes(), mapping_.bytes.last(kDigestBytes))) throw Error(ErrorCode::corrupt, path_ + ": its digest is wrong; it is damaged");
  if (reader.u32() != kVersion) throw Error(ErrorCode::unsupported, path_ + ": made by a newer dstore");
  head_ = parse_head(reader.sized_text(), path_);
  std::vector<UndoneFile*> order;
  for (const auto& [old_path, now] : head_.files) {
    UndoneFile& file = files_[old_path];
    file.now = now;
    order.push_back(&file);
  }
  while (reader.remaining() > 0) {
    const auto kind = static_cast<Block>(reader.u8());
    const std::uint32_t number = reader.u32();
    if (number >= order.size()) reader.fail("a file that is not listed");
    UndoneFile& file = *order[number];
    const std::uint64_t offset = reader.u64();
    const std::uint64_t size = reader.u64();
    const std::uint64_t end = checked_add(offset, size, path_);
    if (size == 0) reader.fail("an empty range");
    if (kind == Block::patch) {
      UndoPatch patch{offset, size, reader.u64(), reader.u64(), {}, {}};
      const std::uint32_t runs = reader.u32();
      const std::uint32_t old_bytes = reader.u32();
      patch.runs = reader.bytes(runs);
      patch.old_bytes = reader.bytes(old_bytes);
      if (size > kUndoRange || check_of(patch.old_bytes) != patch.old_check) reader.fail("a patch is damaged");
      parse_runs(patch.runs, size, old_bytes, path_);
      if (!file.patches.empty() && offset < file.patches.back().offset + file.patches.back().size) reader.fail("patches overlap");
      file.patches.push_back(patch);
    } else {
      const std::uint64_t before = file.parts.empty() ? 0 : file.parts.back().offset + file.parts.back().size;
      if (!file.now.empty() || offset != before || end < offset) reader.fail("a part is not where it should be");
      UndoPart part{offset, size, {}, {}, 0};
      if (kind == Block::bytes) {
        part.bytes = reader.bytes(size);
      } else if (kind == Block::copy) {
        part.from_offset = reader.u64();
        part.from = reader.sized_text();
        if (!is_safe_relative_path(part.from)) reader.fail("names a path outside the folder");
      } else {
        reader.fail("a block of an unknown kind");
      }
      file.parts.push_back(std::move(part));
    }
  }
}

}  // namespace dstore
