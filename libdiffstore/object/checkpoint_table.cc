#include "object/checkpoint_table.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/filesystem.h"
#include "dstore/error.h"
#include "object/name_table.h"

namespace dstore {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kShardBytes = 8 + ObjectId::kSize + 8 + ObjectId::kSize;
constexpr std::size_t kFileBytes = 8 + ObjectId::kSize;

template <typename Row>
void sort_by_path(std::vector<Row>& rows) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.path < b.path; });
}

/// What is wrong with the path after the ones before it; nullopt if nothing is.
class Paths {
 public:
  std::optional<std::string> add(const std::string& path) {
    if (!is_safe_relative_path(path)) return "a path that no checkpoint may hold: " + printable(path);
    if (!files_.insert(path).second || folders_.count(path) > 0) return "path twice: " + printable(path);
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string folder = path.substr(0, slash);
      if (files_.count(folder) > 0) return "a file as a folder: " + printable(folder);
      folders_.insert(folder);
    }
    return std::nullopt;
  }

 private:
  std::set<std::string> files_, folders_;
};

}  // namespace

Bytes CheckpointTable::serialize() {
  sort_by_path(shards);
  sort_by_path(files);
  Paths paths;
  const auto check = [&](const std::string& path) {
    if (const auto problem = paths.add(path)) throw Error(ErrorCode::invalid_argument, "checkpoint: " + *problem);
  };
  for (const ShardRow& row : shards) check(row.path);
  for (const FileRow& row : files) check(row.path);
  Writer records;
  NameWriter names;
  for (const ShardRow& row : shards) {
    names.add(records, row.path);
    records.id(row.header);
    records.u64(row.bytes);
    records.id(row.sha256);
  }
  for (const FileRow& row : files) {
    names.add(records, row.path);
    records.id(row.file);
  }
  Writer out;
  out.u32(kVersion);
  out.u32(static_cast<std::uint32_t>(shards.size()));
  out.u32(static_cast<std::uint32_t>(files.size()));
  out.u32(names.bytes());
  out.id(weights);
  out.bytes(records.data());
  out.text(names.text());
  return out.take();
}

CheckpointTable CheckpointTable::parse(ByteSpan bytes, std::string_view what) {
  Reader reader(bytes, what);
  if (reader.u32() != kVersion) throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  const std::uint32_t shard_count = reader.u32();
  const std::uint32_t file_count = reader.u32();
  const std::uint32_t name_bytes = reader.u32();
  CheckpointTable table;
  table.weights = reader.id();
  Reader records(reader.bytes(std::uint64_t{shard_count} * kShardBytes + std::uint64_t{file_count} * kFileBytes), what);
  NameReader names(reader.text(name_bytes));
  reader.expect_end();
  Paths paths;
  const auto next_path = [&](const std::string* previous) {
    std::string path = names.next(records);
    if (previous != nullptr && path <= *previous) records.fail("paths not sorted");
    if (const auto problem = paths.add(path)) records.fail(*problem);
    return path;
  };
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    ShardRow row;
    row.path = next_path(i == 0 ? nullptr : &table.shards.back().path);
    row.header = records.id();
    row.bytes = records.u64();
    row.sha256 = records.id();
    table.shards.push_back(std::move(row));
  }
  for (std::uint32_t i = 0; i < file_count; ++i) {
    FileRow row;
    row.path = next_path(i == 0 ? nullptr : &table.files.back().path);
    row.file = records.id();
    table.files.push_back(std::move(row));
  }
  names.expect_end(records);
  return table;
}

}  // namespace dstore
