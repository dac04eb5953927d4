#include "repo/missing_objects.h"

#include <algorithm>
#include <set>

#include "dstore/error.h"
#include "object/chunked.h"
#include "repo/forgotten.h"
#include "repo/model_files.h"

namespace dstore {
namespace {

class Search {
 public:
  explicit Search(const Repository& repository) : repository_(repository), forgotten_(forgotten_commits(repository)) {}

  void add_commit(const ObjectId& start) {
    std::vector<ObjectId> stack{start};
    while (!stack.empty()) {
      commit_ = stack.back();
      stack.pop_back();
      const bool forgotten = forgotten_.contains(commit_);
      if (forgotten && !repository_.store().contains(commit_)) continue;
      if (!need(ObjectKind::commit, commit_)) continue;
      look([&] {
        const Commit commit = repository_.read_commit(commit_);
        stack.insert(stack.end(), commit.parents.begin(), commit.parents.end());
        stack.insert(stack.end(), commit.derived_from.begin(), commit.derived_from.end());
        if (commit.base) stack.push_back(*commit.base);
        if (forgotten) return;
        found_.commits.push_back(commit_);
        add_checkpoint(commit);
      });
    }
  }

  MissingObjects take() { return std::move(found_); }

 private:
  void add_checkpoint(const Commit& commit) {
    if (need(ObjectKind::checkpoint, commit.checkpoint)) {
      look([&] {
        const CheckpointTable checkpoint = read_checkpoint(repository_, commit);
        for (const auto& shard : checkpoint.shards) add_file(shard.header);
        for (const auto& file : checkpoint.files) add_file(file.file);
        if (!commit.is_task()) add_base(checkpoint.weights);
      });
    }
    if (commit.adapter && need(ObjectKind::checkpoint, *commit.adapter)) look([&] { add_adapter(*commit.adapter); });
    if (commit.is_task() && need(ObjectKind::delta, *commit.delta)) {
      look([&] {
        const DeltaTable delta = read_delta(repository_, commit);
        for (const ObjectId& segment : delta.segments) need(ObjectKind::segment, segment);
        for (const ObjectId& id : delta.stored_tensors()) add_tensor(id);
        if (!forgotten_.contains(*commit.base)) add_base(delta.base_weights);
      });
    }
  }

  void add_adapter(const ObjectId& id) {
    const CheckpointTable table = read_checkpoint(repository_, id);
    for (const auto& shard : table.shards) add_file(shard.header);
    for (const auto& file : table.files) add_file(file.file);
    if (!need(ObjectKind::weights, table.weights)) return;
    for (const WeightsTable::Row& row : read_weights(table.weights).rows) add_tensor(row.tensor);
  }

  WeightsTable read_weights(const ObjectId& id) const {
    return WeightsTable::parse(repository_.store().read(ObjectKind::weights, id), "weights " + id.short_hex());
  }

  void add_base(const ObjectId& id) {
    if (!need(ObjectKind::weights, id)) return;
    look([&] {
      const WeightsTable table = read_weights(id);
      bool absent = false;
      for (const WeightsTable::Row& row : table.rows) absent = add_base_tensor(row.tensor) || absent;
      if (absent) found_.absent_bases.push_back(id);
    });
  }

  /// True if a repository without base lacks a chunk of it.
  bool add_base_tensor(const ObjectId& id) {
    if (!repository_.config().without_base) {
      add_tensor(id);
      return false;
    }
    if (!repository_.store().contains(id)) return need(ObjectKind::tensor, id);
    bool absent = false;
    look([&] {
      for (const ObjectId& chunk : read_tensor(id).chunks) absent = absent || !repository_.store().contains(chunk);
    });
    return absent;
  }

  void add_tensor(const ObjectId& id) {
    if (!need(ObjectKind::tensor, id)) return;
    look([&] {
      for (const ObjectId& chunk : read_tensor(id).chunks) need(ObjectKind::chunk, chunk);
    });
  }

  TensorObject read_tensor(const ObjectId& id) const {
    return TensorObject::parse(repository_.store().read(ObjectKind::tensor, id), "tensor " + id.short_hex());
  }

  void add_file(const ObjectId& id) {
    if (!need(ObjectKind::file, id)) return;
    look([&] {
      const FileObject file = FileObject::parse(repository_.store().read(ObjectKind::file, id), "file " + id.short_hex());
      for (const ObjectId& chunk : file.chunks) need(ObjectKind::chunk, chunk);
    });
  }

  template <typename Look>
  void look(const Look& step) {
    try {
      step();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::io) throw;
      found_.damaged.push_back("commit " + commit_.short_hex() + ": " + error.what());
    }
  }

  /// True where the object is there and was not looked at before.
  bool need(ObjectKind kind, const ObjectId& id) {
    if (!seen_.insert(id).second) return false;
    if (repository_.store().contains(id)) return true;
    found_.gaps.push_back({commit_, kind, id});
    return false;
  }

  const Repository& repository_;
  const std::set<ObjectId> forgotten_;
  std::set<ObjectId> seen_;
  ObjectId commit_;  ///< that is looked at
  MissingObjects found_;
};

}  // namespace

MissingObjects find_missing_objects(const Repository& repository, const std::vector<ObjectId>& commits) {
  Search search(repository);
  for (const ObjectId& commit : commits) search.add_commit(commit);
  return search.take();
}

bool is_complete(const Repository& repository, const std::vector<ObjectId>& commits) {
  const MissingObjects missing = find_missing_objects(repository, commits);
  return missing.gaps.empty() && missing.damaged.empty();
}

std::vector<std::string> gap_lines(const MissingObjects& missing) {
  std::vector<std::string> lines;
  const auto& gaps = missing.gaps;
  for (std::size_t first = 0, next; first < gaps.size(); first = next) {
    next = static_cast<std::size_t>(std::find_if(gaps.begin() + static_cast<std::ptrdiff_t>(first), gaps.end(), [&](const auto& gap) { return gap.commit != gaps[first].commit; }) - gaps.begin());
    const std::string what = std::string(kind_name(gaps[first].kind)) + " " + gaps[first].id.short_hex();
    const std::string more = next - first > 1 ? " and " + std::to_string(next - first - 1) + " more objects" : "";
    lines.push_back("commit " + gaps[first].commit.short_hex() + ": " + what + more + " that it needs are missing");
  }
  return lines;
}

}  // namespace dstore
