#include "operations.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "memory_filesystem.h"
#include "repo/apply.h"
#include "repo/evaluations.h"
#include "repo/folder_undo.h"
#include "repo/forget.h"
#include "repo/forgotten.h"
#include "repo/merge.h"
#include "repo/reachable.h"
#include "repo/repack.h"
#include "repo/sandbox.h"
#include "repo/three_way.h"

namespace dstore::test {
namespace {

void write_whole(Filesystem& fs, const std::string& path, std::string_view content) {
  make_directories(fs, parent_path(path));
  fs.open(path, OpenMode::create_new)->write_at(0, as_bytes(content));
}

void write_model(Filesystem& fs, const std::string& folder, const std::vector<TestTensor>& tensors, const std::string& config) {
  write_whole(fs, join_path(folder, "model.safetensors"), shard(tensors));
  write_whole(fs, join_path(folder, "config.json"), config);
}

std::vector<TestTensor> changed_encoder(std::size_t where) {
  std::vector<TestTensor> tensors = encoder();
  tensors[2].bytes[where] ^= 1;
  tensors.push_back(tensor("score.weight", {3, 8}, static_cast<unsigned>(where)));
  return tensors;
}

/// A task without tensors of its own: its files have the base's layout.
std::vector<TestTensor> changed_values(std::size_t where) {
  std::vector<TestTensor> tensors = encoder();
  for (TestTensor& tensor : tensors) tensor.bytes[where] ^= 1;
  return tensors;
}

/// What a trainer leaves in a folder of its own.
void write_stage(Filesystem& fs, const std::string& folder, unsigned seed) {
  write_whole(fs, join_path(folder, "tensors.safetensors"), shard({tensor("score.bias", {8}, seed)}));
  write_whole(fs, join_path(folder, "stage.json"), R"({"version":1,"base_prefix":"","training":{"method":"head"},"metrics":[]})");
  write_whole(fs, join_path(folder, "files/labels.txt"), "a\nb\n");
}

const PrivateKey& key() {
  static const PrivateKey held = PrivateKey::parse(scene().key, "key");
  return held;
}

Committer ada(const PrivateKey& by = key()) { return {"Ada <ada@example.org>", &by, 1700000000}; }
Repository open(Filesystem& fs, const std::string& dir) { return Repository::open(fs, dir, IndexMode::database); }

ObjectId commit_task(Filesystem& fs, const std::string& folder, const std::string& branch, const Committer& committer) {
  Repository repository = open(fs, kRepository);
  FolderCommit options;
  options.base = resolve_commit(repository, "base");
  options.message = folder;
  return commit_folder(repository, CheckpointFolder(fs, folder), options, RefName::parse(branch), committer, {}).commit;
}

void add_remote(Repository& repository, const std::string& name, const std::string& url) {
  RepositoryConfig config = repository.config();
  config.remotes[name] = url;
  repository.save_config(config);
}

void move(Filesystem& fs, const std::string& name, RefKind kind, const std::string& from, const std::string& to, const Committer& committer) {
  const Repository repository = open(fs, kRepository);
  const auto id = [&](const std::string& revision) { return revision.empty() ? ObjectId() : resolve_commit(repository, revision); };
  if (!move_ref(repository.refs(), repository.config().repository, RefName::parse(name), kind, id(from), id(to), committer)) {
    throw Error(ErrorCode::conflict, name + " was moved before");
  }
}

/// One thread: so that the n-th call is the same one in every run.
void use_one_processor() {
  cpu_set_t all, one;
  CPU_ZERO(&one);
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
  }
  sched_setaffinity(0, sizeof one, &one);
}

Acknowledged in_history(const std::string& store, const std::string& ref, const ObjectId& commit, const std::string& remote = "") {
  return {remote + " " + ref + " at " + commit.short_hex() + " in " + store, [=](Filesystem& fs) {
            const Repository repository = open(fs, store);
            const auto entries = (remote.empty() ? repository.refs() : repository.remote_refs(remote)).entries(RefName::parse(ref));
            return std::any_of(entries.begin(), entries.end(), [&](const RefEntry& entry) { return entry.new_commit == commit; });
          }};
}

Scene make_scene() {
  use_one_processor();
  ::setenv("DSTORE_CONFIG_HOME", "/user", 1);
  ::unsetenv("DSTORE_KEY");
  MemoryFilesystem fs;
  const SigningConfig user = SigningConfig::from_environment();
  create_key(fs, user, "ada@example.org");
  const PrivateKey by = load_private_key(fs, user);
  write_model(fs, "/base", encoder(), "{}");
  write_model(fs, "/other", encoder("", 50), "{}");
  std::vector<TestTensor> next = encoder();
  next[0].bytes[8] ^= 1;
  write_model(fs, "/next", next, "{}");
  for (const char* name : {"1", "2", "3", "4"}) write_model(fs, "/task" + std::string(name), changed_encoder(static_cast<std::size_t>(name[0])), name);
  Repository repository = Repository::create(fs, kRepository, IndexMode::database);
  import_folder(repository, CheckpointFolder(fs, "/base"), RefName::parse("base"), "base", ada(by), {});
  commit_task(fs, "/task1", "task", ada(by));
  add_remote(repository, "origin", kRemote);
  add_remote(repository, "new", kNewRemote);
  push(repository, "origin", {}, ada(by), {}, {});
  Repository clone = Repository::create(fs, kClone, IndexMode::database);
  add_remote(clone, "origin", kRemote);
  fetch(clone, "origin", {}, {});
  fast_forward(clone, "origin", {}, ada(by));
  commit_task(fs, "/task2", "task", ada(by));
  push(repository, "origin", {}, ada(by), {}, {});
  move(fs, "old", RefKind::branch, "", "task", ada(by));
  write_model(fs, "/side", changed_encoder(5), "side");
  commit_task(fs, "/side", "side", ada(by));
  import_folder(repository, CheckpointFolder(fs, "/next"), RefName::parse("next"), "next", ada(by), {});
  write_model(fs, "/trainee", changed_encoder(6), "6");
  commit_task(fs, "/trainee", "trainee", ada(by));
  commit_task(fs, "/task4", "gone", ada(by));
  move(fs, "gone", RefKind::branch, "gone", "", ada(by));
  write_stage(fs, join_path(kRepository, "tmp/training"), 7);
  publish_stage(repository, join_path(kRepository, "tmp/training"), RefName::parse("trained"), resolve_commit(repository, "base"));
  write_stage(fs, join_path(kRepository, "tmp/training"), 8);
  checkout(repository, resolve_revision(repository, "base"), kCheckout, {}, {});
  checkout(repository, resolve_revision(repository, "base"), kApplied, {}, {});
  apply_task(repository, resolve_revision(repository, "task"), kApplied, {}, {});
  write_model(fs, "/plain", changed_values(5), "5");
  commit_task(fs, "/plain", "plain", ada(by));
  Scene made{fs.disk(), std::string(as_text(by.serialize().bytes()))};
  made.disk.sync_all();
  return made;
}

void run_init(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository::create(fs, kFresh, IndexMode::database);
  acknowledge({"the repository", [](Filesystem& f) { return Repository::is_repository(f, kFresh); }});
}

void run_import(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const auto report = import_folder(repository, CheckpointFolder(fs, "/other"), RefName::parse("other"), "other", ada(), {});
  acknowledge(in_history(kRepository, "other", report.commit));
}

void run_commit(Filesystem& fs, const Acknowledge& acknowledge) {
  acknowledge(in_history(kRepository, "task", commit_task(fs, "/task3", "task", ada())));
}

void run_new_branch(Filesystem& fs, const Acknowledge& acknowledge) {
  acknowledge(in_history(kRepository, "new/branch", commit_task(fs, "/task3", "new/branch", ada())));
}

void run_merge(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const MergeMethod& method = find_merge_method("task_arithmetic");
  const MergeSettings settings(method.name, method.parameters, {}, 2, 0);
  MergeOptions options;
  options.method = &method;
  options.settings = &settings;
  options.message = "merged";
  const std::vector<MergeSource> sources{{resolve_commit(repository, "task"), "task"}, {resolve_commit(repository, "base"), "base"}};
  acknowledge(in_history(kRepository, "merged", merge(repository, sources, options, RefName::parse("merged"), ada(), {}).commit));
}

ThreeWayOptions three_way(const char* policy) {
  ThreeWayOptions options;
  options.resolution.policy = find_conflict_policy(policy, true);
  options.message = policy;
  return options;
}

void run_merge_into(Filesystem& fs, const std::string& text, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const ThreeWayOptions options = three_way("ours");
  const MergeSource theirs = find_merge_source(repository, text);
  acknowledge(in_history(kRepository, "task", merge_into(repository, theirs, RefName::parse("task"), options, ada(), {}).commit));
}

void run_rebase(Filesystem& fs, const std::string& text, const std::string& branch, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const ThreeWayOptions options = three_way("add");
  const MergeSource task = find_merge_source(repository, text), target{resolve_commit(repository, "next"), "next"};
  acknowledge(in_history(kRepository, branch, rebase(repository, task, target, RefName::parse(branch), options, ada(), {}).commit));
}

void run_stage(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const Stage stage = read_stage(repository, RefName::parse("trained"));
  acknowledge(in_history(kRepository, "trained", commit_stage(repository, stage, "trained", ada(), {}).commit));
}

void run_publish_stage(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const RefName name = RefName::parse("trained");
  const std::string training = join_path(kRepository, "tmp/training");
  const auto files = [](Filesystem& f, const std::string& folder) {
    std::string all;
    for (const char* file : {"tensors.safetensors", "stage.json", "files/labels.txt"}) all += read_text_file(f, join_path(folder, file));
    return all;
  };
  const std::string trained = files(fs, training);
  publish_stage(repository, training, name, resolve_commit(repository, "base"));
  acknowledge({"the new stage", [=](Filesystem& f) { return files(f, read_stage(open(f, kRepository), name).folder) == trained; }});
}

Acknowledged has_evaluation(const std::string& store, const ObjectId& id) {
  return {"evaluation " + id.short_hex() + " in " + store,
          [=](Filesystem& fs) { return check_evaluation(open(fs, store), id).signature.verdict == Verdict::good; }};
}

void run_record(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  Evaluation evaluation;
  evaluation.commit = resolve_commit(repository, "task");
  evaluation.commits = {*evaluation.commit};
  evaluation.revision = evaluation.commit->hex();
  evaluation.data_sha256 = object_id(ObjectKind::chunk, as_bytes("data"));
  evaluation.split = "test";
  evaluation.n = 1;
  evaluation.metrics = {{"accuracy", "0.5"}};
  acknowledge(has_evaluation(kRepository, record_evaluation(repository, evaluation, ada())));
}

void run_tag(Filesystem& fs, const Acknowledge& acknowledge) {
  move(fs, "v1", RefKind::tag, "", "task", ada());
  acknowledge(in_history(kRepository, "v1", resolve_commit(open(fs, kRepository), "v1")));
}

void run_delete_branch(Filesystem& fs, const Acknowledge& acknowledge) {
  move(fs, "old", RefKind::branch, "old", "", ada());
  acknowledge(in_history(kRepository, "old", ObjectId()));
}

void run_checkout(Filesystem& fs, const std::string& folder, const Acknowledge& acknowledge) {
  const Repository repository = open(fs, kRepository);
  checkout(repository, resolve_revision(repository, "task"), folder, {}, {});
  acknowledge({folder, [=](Filesystem& f) {
                 const auto checked_out = read_checkout_record(f, folder);
                 return checked_out && checked_out->revision == "task";
               }});
}

Acknowledged is_revision(const std::string& folder, const std::string& revision) {
  return {folder + " is " + revision, [=](Filesystem& f) {
            const auto record = read_checkout_record(f, folder);
            return record && record->revision == revision;
          }};
}

void run_apply(Filesystem& fs, const std::string& task, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const std::string after = apply_task(repository, resolve_revision(repository, task), kCheckout, {}, {}).after;
  acknowledge(is_revision(kCheckout, after));
}

void run_switch(Filesystem& fs, const std::string& revision, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  switch_folder(repository, resolve_revision(repository, revision), kApplied, false, {}, {});
  acknowledge(is_revision(kApplied, revision));
}

void run_unapply(Filesystem& fs, const Acknowledge& acknowledge) {
  unapply(fs, kApplied);
  acknowledge(is_revision(kApplied, "base"));
}

void run_push(Filesystem& fs, const std::string& remote, const std::string& store, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  for (const TransferReport::Ref& ref : push(repository, remote, {}, ada(), {}, {}).refs) {
    acknowledge(in_history(store, ref.name, ref.after));
    acknowledge(in_history(kRepository, ref.name, ref.after, remote));
  }
}

void run_pull(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository clone = open(fs, kClone);
  for (const TransferReport::Ref& ref : fetch(clone, "origin", {}, {}).refs) acknowledge(in_history(kClone, ref.name, ref.after, "origin"));
  for (const TransferReport::Ref& ref : fast_forward(clone, "origin", {}, ada()).refs) acknowledge(in_history(kClone, ref.name, ref.after));
}

CollectOptions at_once() {
  CollectOptions options;
  options.wait_seconds = 0;
  return options;
}

/// The commit that the deleted branch `gone` named.
ObjectId gone_commit(const Repository& repository) { return repository.refs().entries(RefName::parse("gone")).front().new_commit; }

void run_gc(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const ObjectId garbage = gone_commit(repository);
  Reachable reachable(repository, {});
  repository.store().collect(reachable, at_once());
  acknowledge({"the garbage is gone", [=](Filesystem& f) { return !open(f, kRepository).store().contains(garbage); }});
}

void run_repack(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  repack(repository, at_once());
  acknowledge({"one pack", [](Filesystem& f) { return open(f, kRepository).store().packs().size() <= 2; }});
}

void run_forget(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const ObjectId commit = gone_commit(repository);
  forget(repository, {commit}, false, ada(), at_once());
  acknowledge({"the record", [=](Filesystem& f) { return forgotten_record(open(f, kRepository), commit).has_value(); }});
}

void run_reset(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  const ObjectId present = resolve_commit(repository, "task"), wanted = resolve_commit(repository, "task~1");
  if (!point_ref(repository, RefName::parse("task"), RefKind::branch, present, wanted, ada())) throw Error(ErrorCode::conflict, "task was moved before");
  acknowledge(in_history(kRepository, "task", wanted));
}

void run_rebuild(Filesystem& fs, const Acknowledge&) {
  fs.remove(join_path(kRepository, "index.db"));
  open(fs, kRepository).store().for_each(std::nullopt, [](const ObjectEntry&) {});
}

void run_add_remote(Filesystem& fs, const Acknowledge& acknowledge) {
  Repository repository = open(fs, kRepository);
  add_remote(repository, "third", "/third");
  acknowledge({"remote third", [](Filesystem& f) { return open(f, kRepository).config().remotes.count("third") == 1; }});
}

}  // namespace

const Scene& scene() {
  static const Scene made = make_scene();
  return made;
}

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = {
      {"init", {kFresh}, {}, run_init},
      {"import", {kRepository}, {}, run_import, true},
      {"commit", {kRepository}, {}, run_commit, true},
      {"commit to a new branch", {kRepository}, {}, run_new_branch, true},
      {"commit a stage", {kRepository}, {}, run_stage, true},
      {"merge", {kRepository}, {}, run_merge, true},
      {"merge --into", {kRepository}, {}, [](Filesystem& fs, const Acknowledge& a) { run_merge_into(fs, "side", a); }, true},
      {"merge --into of what is computed", {kRepository}, {}, [](Filesystem& fs, const Acknowledge& a) { run_merge_into(fs, "base+0.5*side", a); }},
      {"merge --into moves forward to what is computed", {kRepository}, {}, [](Filesystem& fs, const Acknowledge& a) { run_merge_into(fs, "base+0.5*task", a); }},
      {"rebase", {kRepository}, {}, [](Filesystem& fs, const Acknowledge& a) { run_rebase(fs, "task", "task", a); }, true},
      {"rebase of what is computed", {kRepository}, {}, [](Filesystem& fs, const Acknowledge& a) { run_rebase(fs, "base+0.5*task", "moved", a); }},
      {"replace a stage", {kRepository}, {}, run_publish_stage},
      {"record an evaluation", {kRepository}, {}, run_record, true},
      {"tag", {kRepository}, {}, run_tag, true},
      {"branch -d", {kRepository}, {}, run_delete_branch, true},
      {"checkout", {kRepository}, {kNewCheckout}, [](Filesystem& fs, const Acknowledge& a) { run_checkout(fs, kNewCheckout, a); }, true},
      {"checkout in place", {kRepository}, {kCheckout}, [](Filesystem& fs, const Acknowledge& a) { run_checkout(fs, kCheckout, a); }},
      {"apply", {kRepository}, {kCheckout}, [](Filesystem& fs, const Acknowledge& a) { run_apply(fs, "plain", a); }},
      {"apply with a head", {kRepository}, {kCheckout}, [](Filesystem& fs, const Acknowledge& a) { run_apply(fs, "task", a); }},
      {"apply what is computed", {kRepository}, {kCheckout}, [](Filesystem& fs, const Acknowledge& a) { run_apply(fs, "base+0.5*plain+trainee", a); }},
      {"unapply", {}, {kApplied}, run_unapply},
      {"switch", {kRepository}, {kApplied}, [](Filesystem& fs, const Acknowledge& a) { run_switch(fs, "base+trainee", a); }},
      {"switch to another layout", {kRepository}, {kApplied}, [](Filesystem& fs, const Acknowledge& a) { run_switch(fs, "base+plain", a); }},
      {"switch to what is computed", {kRepository}, {kApplied}, [](Filesystem& fs, const Acknowledge& a) { run_switch(fs, "base+0.5*plain", a); }},
      {"push", {kRepository, kRemote}, {}, [](Filesystem& fs, const Acknowledge& a) { run_push(fs, "origin", kRemote, a); }},
      {"push to a new remote", {kRepository, kNewRemote}, {}, [](Filesystem& fs, const Acknowledge& a) { run_push(fs, "new", kNewRemote, a); }},
      {"pull", {kClone}, {}, run_pull, true},
      {"rebuild", {kRepository}, {}, run_rebuild},
      {"gc", {kRepository}, {}, run_gc, false, true},
      {"repack", {kRepository}, {}, run_repack},
      {"forget", {kRepository}, {}, run_forget, false, true},
      {"reset", {kRepository}, {}, run_reset},
      {"remote add", {kRepository}, {}, run_add_remote, true},
  };
  // To look into a few: DSTORE_OPERATIONS=apply runs those whose name has the word.
  static const std::vector<Operation> rows = [] {
    const char* const word = std::getenv("DSTORE_OPERATIONS");
    std::vector<Operation> chosen = all;
    std::erase_if(chosen, [&](const Operation& row) { return word != nullptr && std::string_view(row.name).find(word) == std::string_view::npos; });
    return chosen;
  }();
  return rows;
}

}  // namespace dstore::test
