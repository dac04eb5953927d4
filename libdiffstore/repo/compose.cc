#include "repo/compose.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "dstore/error.h"
#include "repo/history.h"

namespace dstore {
namespace {

/// What a delta does to the base's names.
struct NameChanges {
  std::map<std::string, std::string> renamed;  ///< base → result
  std::set<std::string> gone;                  ///< base names whose tensor is not in the result, or is another one
  std::vector<std::string> added;              ///< result names
  std::set<std::string> converted;             ///< result names of tensors with other rows or another dtype
};

NameChanges name_changes(const DeltaTable& delta) {
  NameChanges out;
  for (const DeltaTable::Change& change : delta.changes) {
    if (change.op == DeltaOp::remove) out.gone.insert(change.name);
    if (change.op == DeltaOp::add) {
      out.added.push_back(change.name);
      out.gone.insert(change.name);
    }
    if (change.op == DeltaOp::convert) out.converted.insert(change.name);
    if (!change.base_name.empty()) out.renamed.emplace(change.base_name, change.name);
  }
  return out;
}

SafetensorsHeader reparse(const Bytes& raw, std::uint64_t data_bytes, const std::string& path) {
  return parse_safetensors_header(raw, raw.size() + data_bytes, path);
}

/// The base's shard with the delta's names, dtypes and shapes, without the tensors that are gone.
SafetensorsHeader compose_header(const ShardFile& shard, const NameChanges& changes, const std::map<std::string, TensorInfo>& converted) {
  std::map<std::string, std::string> renames;
  std::vector<TensorInfo> kept;
  std::uint64_t bytes = 0;
  bool same_data = true;
  for (const SafetensorsEntry& entry : shard.header.entries) {
    if (changes.gone.count(entry.info.name) > 0 && changes.renamed.count(entry.info.name) == 0) continue;
    TensorInfo info = entry.info;
    if (const auto it = changes.renamed.find(info.name); it != changes.renamed.end()) {
      renames.emplace(info.name, it->second);
      info.name = it->second;
    }
    if (const auto it = converted.find(info.name); it != converted.end()) {
      info = it->second;
      same_data = false;
    }
    bytes += info.bytes;
    kept.push_back(std::move(info));
  }
  if (kept.size() < shard.header.entries.size() || !same_data) {
    return reparse(render_safetensors_header(kept, shard.header.metadata), bytes, shard.path);
  }
  if (renames.empty()) return shard.header;
  return reparse(rename_in_header(shard.header, renames), bytes, shard.path);
}

/// "; base~2+task fits" where an older commit of the same branch has the weights that the task wants.
std::string fitting_revision(const Repository& repository, const Revision& revision, const ObjectId& weights) {
  const std::string task = revision.text.substr(revision.text.find('+') + 1);
  const std::string base = revision.text.substr(0, revision.text.find('+'));
  std::uint64_t steps = 0;
  for (const ObjectId& id : first_parents(repository, *revision.base)) {
    if (read_checkpoint(repository, repository.read_commit(id)).weights == weights) {
      return "; " + base + (steps == 0 ? "" : "~" + std::to_string(steps)) + "+" + task + " fits";
    }
    ++steps;
  }
  for (const RefEntry& head : repository.refs().all_heads().heads) {
    const Commit commit = repository.read_commit(head.new_commit);
    if (!commit.is_task() && read_checkpoint(repository, commit).weights == weights) return "; " + head.ref.text() + "+" + task + " fits";
  }
  return "";
}

[[noreturn]] void fail_wrong_base(const Repository& repository, const Revision& revision, const ObjectId& have, const ObjectId& want) {
  std::string detail;
  if (repository.store().contains(want)) {
    const WeightsTable a = WeightsTable::parse(repository.store().read(ObjectKind::weights, have), "weights " + have.short_hex());
    const WeightsTable b = WeightsTable::parse(repository.store().read(ObjectKind::weights, want), "weights " + want.short_hex());
    std::size_t different = 0;
    std::string first;
    for (const WeightsTable::Row& row : b.rows) {
      const WeightsTable::Row* other = a.find(row.name);
      if (other != nullptr && other->tensor == row.tensor) continue;
      if (different++ == 0) first = row.name;
    }
    if (different > 0) {
      detail = "; the tensor " + printable(first) + (different > 1 ? " and " + std::to_string(different - 1) + " more differ" : " differs");
    } else {
      detail = "; the base given has tensors that the task's base does not have";
    }
  }
  throw Error(ErrorCode::conflict, "\"" + printable(revision.text) + "\": the task was made from the weights " + want.short_hex() +
                                       ", the base given has the weights " + have.short_hex() + detail +
                                       fitting_revision(repository, revision, want));
}

ModelFiles compose(const Repository& repository, const Revision& revision, const CheckedCommit& base, const CheckedCommit& task) {
  const DeltaTable delta = read_delta(repository, task.commit);
  const CheckpointTable base_checkpoint = read_checkpoint(repository, base.commit);
  if (base_checkpoint.weights != delta.base_weights) fail_wrong_base(repository, revision, base_checkpoint.weights, delta.base_weights);

  const ModelFiles base_files = load_commit_files(repository, base.commit);
  ModelFiles committed = load_commit_files(repository, task.commit);
  ModelFiles out;
  out.weights = std::move(committed.weights);
  compose_files(base_files, committed.files, delta, out);

  // Where the commit has these very shards, it also has their digests.
  for (ShardFile& shard : out.shards) {
    for (const ShardFile& known : committed.shards) {
      if (known.header.raw == shard.header.raw) shard.sha256 = known.sha256;
    }
  }
  return out;
}

}  // namespace

std::vector<ShardFile> compose_shards(const std::vector<ShardFile>& base, const DeltaTable& delta, const std::vector<TensorInfo>& infos) {
  const NameChanges changes = name_changes(delta);
  std::vector<ShardFile> out;
  std::map<std::string, TensorInfo> converted;
  for (const TensorInfo& info : infos) {
    if (changes.converted.count(info.name) > 0) converted.emplace(info.name, info);
  }
  for (const ShardFile& shard : base) out.push_back({shard.path, compose_header(shard, changes, converted), std::nullopt});
  if (changes.added.empty()) return out;

  std::vector<TensorInfo> added;
  for (const TensorInfo& info : infos) {
    if (std::find(changes.added.begin(), changes.added.end(), info.name) != changes.added.end()) added.push_back(info);
  }
  const SafetensorsPlan plan = write_safetensors_header(added, {{"format", "pt"}});
  std::uint64_t bytes = 0;
  for (const TensorInfo& info : added) bytes += info.bytes;
  std::string path = "model-added.safetensors";
  if (out.size() == 1 && out.front().path == "model.safetensors") {
    out.front().path = "model-00001-of-00002.safetensors";
    path = "model-00002-of-00002.safetensors";
  }
  // A base may itself be a composed model: its names are taken.
  const auto taken = [&](const std::string& name) {
    return std::any_of(out.begin(), out.end(), [&](const ShardFile& shard) { return shard.path == name; });
  };
  for (int n = 2; taken(path); ++n) path = "model-added-" + std::to_string(n) + ".safetensors";
  out.push_back({path, reparse(plan.header, bytes, path), std::nullopt});
  std::sort(out.begin(), out.end(), [](const ShardFile& a, const ShardFile& b) { return a.path < b.path; });
  return out;
}

Bytes make_index(const std::vector<ShardFile>& shards) {
  if (shards.size() == 1 && shards.front().path == "model.safetensors") return {};
  nlohmann::json index;
  std::uint64_t total = 0;
  nlohmann::json& map = index["weight_map"] = nlohmann::json::object();
  for (const ShardFile& shard : shards) {
    total += shard.header.data_bytes();
    for (const SafetensorsEntry& entry : shard.header.entries) map[entry.info.name] = shard.path;
  }
  index["metadata"]["total_size"] = total;
  const std::string text = index.dump(2) + "\n";
  const ByteSpan bytes = as_bytes(text);
  return Bytes(bytes.begin(), bytes.end());
}

DeltaTable name_delta(const TensorSource& from, const TensorSource& result, const std::vector<Pairing>& pairs) {
  DeltaTable out;
  std::set<std::string> replaced;
  std::vector<bool> taken(from.tensors().size(), false);
  for (const Pairing& pair : pairs) {
    DeltaTable::Change change;
    change.name = pair.name;
    if (!pair.base) {
      change.op = DeltaOp::add;
      replaced.insert(pair.name);
      out.changes.push_back(std::move(change));
      continue;
    }
    taken[*pair.base] = true;
    const TensorInfo& before = from.tensors()[*pair.base];
    const TensorInfo& after = result.tensors()[*pair.task];
    const bool converted = before.dtype != after.dtype || before.shape != after.shape;
    if (before.name == pair.name && !converted) continue;
    change.op = converted ? DeltaOp::convert : DeltaOp::rename;
    if (before.name != pair.name) change.base_name = before.name;
    out.changes.push_back(std::move(change));
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (taken[i] || replaced.count(from.tensors()[i].name) > 0) continue;
    out.changes.push_back({DeltaOp::remove, from.tensors()[i].name, "", 0, 0, 0, {}});
  }
  return out;
}

void compose_files(const ModelFiles& base, const std::map<std::string, PlainFile>& own, const DeltaTable& delta, ModelFiles& out) {
  out.shards = compose_shards(base.shards, delta, out.source().tensors());
  // The task's own files, then what only the base has.
  out.files = own;
  for (const auto& [path, file] : base.files) out.files.emplace(path, file);
  out.files.erase(std::string(kIndexFile));
  if (Bytes index = make_index(out.shards); !index.empty()) out.files[std::string(kIndexFile)] = PlainFile{std::nullopt, std::move(index)};
  for (const ShardFile& shard : out.shards) out.files.erase(shard.path);
}

LoadedRevision load_revision(const Repository& repository, const Revision& revision) {
  if (revision.computed) throw Error(ErrorCode::invalid_argument, "\"" + printable(revision.text) + "\" is computed and no commit, which this command wants");
  LoadedRevision out;
  out.commits.push_back(repository.require_commit(revision.commit));
  if (revision.base) {
    require_task(out.commits.front(), revision.text);
    out.commits.push_back(repository.require_commit(*revision.base));
    if (out.commits.back().commit.is_task()) {
      throw Error(ErrorCode::invalid_argument, "\"" + printable(revision.text) + "\": the first name is a task too; give base+task");
    }
    out.files = compose(repository, revision, out.commits.back(), out.commits.front());
  } else {
    out.files = load_commit_files(repository, out.commits.front().commit);
    if (const auto base = out.commits.front().commit.base) out.commits.push_back(repository.require_commit(*base));
  }
  if (out.commits.front().commit.is_task()) out.files.task = revision.commit;
  return out;
}

LoadedRevision load_adapter(const Repository& repository, const Revision& revision) {
  LoadedRevision out;
  const std::string name = "\"" + printable(revision.text) + "\"";
  if (revision.computed) throw Error(ErrorCode::invalid_argument, name + " is computed from several commits: no adapter's folder belongs to it");
  out.commits.push_back(repository.require_commit(revision.commit));
  const Commit& commit = out.commits.front().commit;
  if (revision.base) throw Error(ErrorCode::invalid_argument, name + ": an adapter's folder comes from one commit; give the task alone");
  if (!commit.adapter) {
    throw Error(ErrorCode::invalid_argument, name + " was not committed from an adapter's folder; `dstore export " + printable(revision.text) +
                                                 " --format peft-lora --rank R` makes an adapter");
  }
  out.files = load_adapter_files(repository, commit);
  out.files.task = revision.commit;
  return out;
}

void join_shards(ModelFiles& files) {
  const std::vector<TensorInfo>& tensors = files.source().tensors();
  const SafetensorsPlan plan = write_safetensors_header(tensors, files.shards.empty() ? std::map<std::string, std::string>{} : files.shards.front().header.metadata);
  std::uint64_t bytes = 0;
  for (const TensorInfo& info : tensors) bytes += info.bytes;
  ShardFile joined{"model.safetensors", reparse(plan.header, bytes, "model.safetensors"), std::nullopt};
  files.shards.clear();
  files.shards.push_back(std::move(joined));
  files.files.erase(std::string(kIndexFile));
}

}  // namespace dstore
