#include "repo/missing_objects.h"

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
      const ObjectId id = stack.back();
      stack.pop_back();
      if (!seen_.insert(id).second) continue;
      gaps_ = 0;
      try {
        const bool forgotten = forgotten_.contains(id);
        if (forgotten && !repository_.store().contains(id)) continue;
        const Commit commit = repository_.read_commit(id);
        stack.insert(stack.end(), commit.parents.begin(), commit.parents.end());
        stack.insert(stack.end(), commit.derived_from.begin(), commit.derived_from.end());
        if (commit.base) stack.push_back(*commit.base);
        if (!forgotten) add_checkpoint(commit);
      } catch (const Error& error) {
        problems_.push_back("commit " + id.short_hex() + ": " + error.what());
        continue;
      }
      if (gaps_ > 0) problems_.push_back("commit " + id.short_hex() + ": " + std::to_string(gaps_) + " objects that it needs are missing, first " + first_);
    }
  }

  std::vector<std::string> problems() { return std::move(problems_); }

 private:
  void add_checkpoint(const Commit& commit) {
    const CheckpointTable checkpoint = read_checkpoint(repository_, commit);
    for (const auto& shard : checkpoint.shards) add_file(shard.header);
    for (const auto& file : checkpoint.files) add_file(file.file);
    if (!commit.is_task()) return add_weights(checkpoint.weights);
    const DeltaTable delta = read_delta(repository_, commit);
    for (const ObjectId& segment : delta.segments) need(ObjectKind::segment, segment);
    for (const ObjectId& id : delta.stored_tensors()) add_tensor(id);
    if (!forgotten_.contains(*commit.base)) add_weights(delta.base_weights);
  }

  void add_weights(const ObjectId& id) {
    if (!need(ObjectKind::weights, id)) return;
    const WeightsTable table = WeightsTable::parse(repository_.store().read(ObjectKind::weights, id), "weights " + id.short_hex());
    for (const WeightsTable::Row& row : table.rows) add_tensor(row.tensor);
  }

  void add_tensor(const ObjectId& id) {
    if (!need(ObjectKind::tensor, id)) return;
    const TensorObject tensor = TensorObject::parse(repository_.store().read(ObjectKind::tensor, id), "tensor " + id.short_hex());
    for (const ObjectId& chunk : tensor.chunks) need(ObjectKind::chunk, chunk);
  }

  void add_file(const ObjectId& id) {
    if (!need(ObjectKind::file, id)) return;
    const FileObject file = FileObject::parse(repository_.store().read(ObjectKind::file, id), "file " + id.short_hex());
    for (const ObjectId& chunk : file.chunks) need(ObjectKind::chunk, chunk);
  }

  /// True where the object is there and was not looked at before.
  bool need(ObjectKind kind, const ObjectId& id) {
    if (!seen_.insert(id).second) return false;
    if (repository_.store().contains(id)) return true;
    if (gaps_++ == 0) first_ = std::string(kind_name(kind)) + " " + id.short_hex();
    return false;
  }

  const Repository& repository_;
  const std::set<ObjectId> forgotten_;
  std::set<ObjectId> seen_;
  std::size_t gaps_ = 0;  ///< of the commit that is looked at
  std::string first_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> missing_objects(const Repository& repository, const std::vector<ObjectId>& commits) {
  Search search(repository);
  for (const ObjectId& commit : commits) search.add_commit(commit);
  return search.problems();
}

}  // namespace dstore
