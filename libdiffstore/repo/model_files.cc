#include "repo/model_files.h"

#include <algorithm>

#include "base/sha256.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// Files that say which row of an embedding is which token, the telling ones first.
constexpr const char* kTokenizers[] = {"tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"};

}  // namespace

CheckpointTable read_checkpoint(const Repository& repository, const Commit& commit) {
  return read_checkpoint(repository, commit.checkpoint);
}

CheckpointTable read_checkpoint(const Repository& repository, const ObjectId& checkpoint) {
  return CheckpointTable::parse(repository.store().read(ObjectKind::checkpoint, checkpoint), "checkpoint " + checkpoint.short_hex());
}

DeltaTable read_delta(const Repository& repository, const Commit& commit) {
  return DeltaTable::parse(repository.store().read(ObjectKind::delta, *commit.delta), "delta " + commit.delta->short_hex());
}

void require_task(const CheckedCommit& commit, std::string_view name) {
  if (!commit.commit.is_task()) {
    throw Error(ErrorCode::invalid_argument, printable(name) + " (commit " + commit.id.short_hex() + ") is a base checkpoint, not a task");
  }
}

std::unique_ptr<StoredWeights> load_weights(const Repository& repository, const Commit& commit) {
  if (commit.is_task()) return StoredWeights::load(repository.store(), read_delta(repository, commit));
  return StoredWeights::load(repository.store(), read_checkpoint(repository, commit).weights);
}

namespace {

/// The shards hold every tensor of the weights once and nothing else.
void check_coverage(const ModelFiles& files, const std::string& what) {
  std::vector<std::string_view> held;
  for (const ShardFile& shard : files.shards) {
    for (const SafetensorsEntry& entry : shard.header.entries) held.push_back(entry.info.name);
  }
  std::sort(held.begin(), held.end());
  const std::vector<TensorInfo>& wanted = files.weights->tensors();
  if (!std::equal(held.begin(), held.end(), wanted.begin(), wanted.end(), [](std::string_view name, const TensorInfo& info) { return name == info.name; })) {
    throw Error(ErrorCode::corrupt, what + ": its files do not hold each tensor of its weights once");
  }
}

ModelFiles load_files(const Repository& repository, const ObjectId& id, const CheckpointTable& checkpoint, std::unique_ptr<StoredWeights> weights) {
  ModelFiles out;
  out.weights = std::move(weights);
  for (const CheckpointTable::ShardRow& row : checkpoint.shards) {
    if (repository.file_object_size(row.header) > 8 + kMaxSafetensorsHeader) {
      throw Error(ErrorCode::corrupt, printable(row.path) + ": a header of more than 100 MB");
    }
    const Bytes raw = repository.read_file_object(row.header);
    SafetensorsHeader header = parse_safetensors_header(raw, row.bytes, row.path);
    if (header.raw.size() != raw.size()) throw Error(ErrorCode::corrupt, printable(row.path) + ": a header with bytes behind it");
    out.shards.push_back({row.path, std::move(header), row.sha256});
  }
  for (const CheckpointTable::FileRow& row : checkpoint.files) out.files.emplace(row.path, PlainFile{row.file, {}});
  check_coverage(out, "checkpoint " + id.short_hex());
  return out;
}

}  // namespace

ModelFiles load_commit_files(const Repository& repository, const Commit& commit) {
  const CheckpointTable checkpoint = read_checkpoint(repository, commit);
  auto weights = load_weights(repository, commit);
  if (weights->weights_id() != checkpoint.weights) {
    throw Error(ErrorCode::corrupt, "checkpoint " + commit.checkpoint.short_hex() + " and its delta name different weights");
  }
  return load_files(repository, commit.checkpoint, checkpoint, std::move(weights));
}

ModelFiles load_adapter_files(const Repository& repository, const Commit& commit) {
  const CheckpointTable checkpoint = read_checkpoint(repository, *commit.adapter);
  return load_files(repository, *commit.adapter, checkpoint, StoredWeights::load(repository.store(), checkpoint.weights));
}

std::optional<ObjectId> file_digest(const ModelFiles& files, const std::string& path) {
  const auto place = files.files.find(path);
  if (place == files.files.end()) return std::nullopt;
  return place->second.file ? *place->second.file : sha256(place->second.content);
}

std::string tokenizer_text(const ModelFiles& a, std::string_view a_name, const ModelFiles& b, std::string_view b_name) {
  for (const char* path : kTokenizers) {
    const auto first = file_digest(a, path), second = file_digest(b, path);
    if (!first && !second) continue;
    const auto text = [](const std::optional<ObjectId>& id, std::string_view name) { return (id ? id->short_hex() : std::string("none")) + " (" + std::string(name) + ")"; };
    return std::string(path) + " " + text(first, a_name) + ", " + text(second, b_name);
  }
  return {};
}

}  // namespace dstore
