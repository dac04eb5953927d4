#include "task_stats.h"

#include <map>
#include <set>
#include <tuple>

#include "base/edit_distance.h"
#include "dstore/error.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

/// One part for each key, in order of the keys.
template <class KeyOf, class NameOf>
std::vector<PartStats> group_tensors(const TaskChanges& changes, KeyOf key_of, NameOf name_of) {
  std::map<decltype(key_of(TensorPlace{})), PartStats> groups;
  for (const TensorChange& tensor : changes.tensors) {
    const TensorPlace place = tensor_place(tensor.info.name);
    PartStats& part = groups[key_of(place)];
    part.name = name_of(place);
    part.add(tensor);
  }
  std::vector<PartStats> out;
  for (auto& [key, part] : groups) out.push_back(std::move(part));
  return out;
}

std::vector<PartStats> parts_by_tensor(const TaskChanges& changes) {
  std::vector<PartStats> out;
  for (const TensorChange& tensor : changes.tensors) {
    PartStats part;
    part.name = tensor.info.name;
    part.add(tensor);
    out.push_back(std::move(part));
  }
  return out;
}

constexpr Grouping kGroupings[] = {{"layer", parts_by_layer}, {"role", parts_by_role}, {"tensor", parts_by_tensor}};

}  // namespace

void PartStats::add(const TensorChange& tensor) {
  ++tensors;
  modified += tensor.how == TensorChange::How::changed;
  new_units += tensor.new_units;
  bytes += tensor.bytes;
  difference += tensor.difference;
}

const Grouping& find_grouping(const std::string& name) {
  std::vector<std::string> names;
  for (const Grouping& grouping : kGroupings) {
    if (grouping.name == name) return grouping;
    names.emplace_back(grouping.name);
  }
  const auto near = nearest(name, names);
  throw Error(ErrorCode::invalid_argument, "--by " + printable(name) + ": " + (near ? "did you mean " + *near + "?" : "there is layer, role and tensor"));
}

bool has_stacks(const TaskChanges& changes) {
  std::set<std::string> stacks;
  for (const TensorChange& tensor : changes.tensors) {
    if (TensorPlace place = tensor_place(tensor.info.name); place.part == TensorPlace::Part::layer) stacks.insert(std::move(place.stack));
  }
  return stacks.size() > 1;
}

std::vector<PartStats> parts_by_layer(const TaskChanges& changes) {
  const bool stacks = has_stacks(changes);
  return group_tensors(
      changes, [](const TensorPlace& place) { return std::tuple(place.part, place.stack, place.layer); },
      [&](const TensorPlace& place) { return part_name(place, stacks); });
}

std::vector<PartStats> parts_by_role(const TaskChanges& changes) {
  return group_tensors(
      changes, [](const TensorPlace& place) { return place.role; }, [](const TensorPlace& place) { return role_name(place.role); });
}

PartStats whole_task(const TaskChanges& changes) {
  PartStats all;
  all.name = "all";
  for (const TensorChange& tensor : changes.tensors) all.add(tensor);
  return all;
}

namespace {

/// A commit is looked at whoever signed it; what is computed only if its commits may be used.
void open_committed(const Repository& repository, CommitSizer& sizer, const Revision& revision, TaskStats& task) {
  if (revision.base) load_revision(repository, revision);  // the base fits
  task.commit = repository.check_commit(revision.commit);
  require_task(task.commit, revision.text);
  task.sizes = sizer.sizes(task.commit.id, task.commit.commit);
  task.task.delta = read_delta(repository, task.commit.commit);
  task.task.loaded.files.weights = StoredWeights::load(repository.store(), task.task.delta);
}

void open_computed(const Repository& repository, const Revision& revision, const Progress& progress, TaskStats& task) {
  task.task = open_task(repository, revision, progress);
  task.expression = revision.computed->pinned();
  task.commit.commit.base = task.task.base;
  task.commit.commit.delta = ObjectId();
  task.commit.commit.training = {{"method", "computed"}};
  task.task.scratch->store().for_each(std::nullopt, [&](const ObjectEntry& entry) {
    const bool whole = entry.kind == ObjectKind::tensor || entry.kind == ObjectKind::chunk;
    (whole ? task.sizes.added : task.sizes.delta) += entry.stored_size;
  });
  const ModelFiles& files = task.task.loaded.files;
  for (const ShardFile& shard : files.shards) task.sizes.checkpoint += shard.bytes();
  for (const auto& [path, file] : files.files) task.sizes.checkpoint += file.file ? repository.file_object_size(*file.file) : file.content.size();
}

}  // namespace

ComparedTasks compare_revisions(const Repository& repository, CommitSizer& sizer, const std::vector<std::string>& revisions, const Progress& progress) {
  ComparedTasks out;
  std::vector<TaskView> views;
  out.tasks.reserve(revisions.size());
  for (const std::string& text : revisions) {
    TaskStats& task = out.tasks.emplace_back();
    task.revision = text;
    const Revision revision = resolve_revision(repository, text);
    if (revision.computed) open_computed(repository, revision, progress, task);
    else open_committed(repository, sizer, revision, task);
    views.push_back({&task.task.delta, &task.task.weights()});
  }
  out.comparison = compare_tasks(repository.store(), views, 0, progress);
  return out;
}

}  // namespace dstore::cli
