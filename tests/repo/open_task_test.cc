#include "repo/open_task.h"

#include <nlohmann/json.hpp>

#include "base/passing_filesystem.h"
#include "repo/apply.h"
#include "repo/bit_models.h"
#include "repo/commit_computed.h"
#include "repo/compare_tasks.h"
#include "repo/folder_undo.h"
#include "repo/merge.h"

namespace dstore::test {
namespace {

/// A base, three tasks of it (c with a head), and what is computed from them: every kind of expression.
struct Fixture {
  Sandbox box;
  Repository repository = box.init("r");
  std::vector<TestTensor> base = wild_model(1);
  Fixture() {
    make_model(box.dir / "base", base, "{\"base\": 1}\n");
    box.import(repository, box.dir / "base", "base");
    add("a", changed_model(base, 3, 40));
    add("b", changed_model(base, 4, 80));
    std::vector<TestTensor> c = changed_model(base, 5, 7);
    c.push_back(tensor("head", {2, 8}, 70));
    add("c", c);
    make_model(box.dir / "next", changed_model(base, 11, 900));
    box.import(repository, box.dir / "next", "next");
    box.commit(repository, box.dir / "b", "next", "on-next");
  }
  void add(const std::string& name, const std::vector<TestTensor>& tensors) {
    make_model(box.dir / name, tensors, "{\"task\": \"" + name + "\"}\n");
    box.commit(repository, box.dir / name, "base", name);
  }
  Revision find(const std::string& text) const { return resolve_revision(repository, text); }
  std::map<std::string, std::string> checkout_of(const std::string& text) {
    const std::string folder = box.dir / ("expected" + std::to_string(++folders_));
    box.check_out(repository, text, folder);
    return files_of(folder);
  }
  std::string fresh() { return box.dir / ("fresh" + std::to_string(++folders_)); }
  /// Whatever was computed for it has gone.
  std::size_t leftovers() const { return repository.fs().list(repository.path("tmp")).size(); }

 private:
  int folders_ = 0;
};

/// A revision, and the one that has its files on the base's shards.
const std::vector<std::pair<std::string, std::string>> kExpressions = {
    {"base+0.7*a", ""},
    {"base+a+b", ""},
    {"base+0.5*a - 2*b", ""},
    {"base - a", ""},
    {"base+0*a", ""},
    {"base+0.5*a+c", ""},
    {"merge(ties,density=0.5: a, 0.5*b)", "base+merge(ties,density=0.5: a, 0.5*b)"},
    {"merge(ties,density=0.5: base+a+b, c)", "base+merge(ties,density=0.5: base+a+b, c)"},
    {"merge(linear: merge(ties: a, b), base+0.5*c)", "base+merge(linear: merge(ties: a, b), base+0.5*c)"},
    {"base+0.5*merge(dare_ties,density=0.5,seed=3: a, base+0.5*b+c)+b", ""},
    {"base+0.25*rebase(keep-task: on-next, base)+a", ""},
    {"rebase(keep-task: on-next, base)", "base+rebase(keep-task: on-next, base)"},
};

TEST_CASE("a computed revision is put on a folder with the bytes of its checkout, and taken off again") {
  Fixture f;
  const auto before = f.checkout_of("base");
  for (const auto& [text, composed] : kExpressions) {
    INFO(text);
    const auto expected = f.checkout_of(composed.empty() ? text : composed);
    const std::string folder = f.fresh();
    f.box.check_out(f.repository, "base", folder);
    const ApplyReport report = apply_task(f.repository, f.find(text), folder, {}, {});
    CHECK(files_of(folder) == expected);
    const auto record = read_checkout_record(f.box.fs, folder);
    REQUIRE(record.has_value());
    CHECK(record->revision == report.after);
    CHECK(folder_changes(f.box.fs, folder, *record, true).empty());
    CHECK(f.checkout_of(record->expression) == expected);
    CHECK(report.weights == open_task(f.repository, f.find(text)).weights().weights_id());
    unapply(f.box.fs, folder);
    CHECK(files_of(folder) == before);
    const std::string out = f.fresh();
    CHECK(apply_to_new(f.repository, f.find(text), folder, out, {}, {}).weights == report.weights);
    CHECK(files_of(out) == expected);
    CHECK(files_of(folder) == before);
    CHECK(f.leftovers() == 0);
  }
}

TEST_CASE("a folder is switched between computed revisions and back, bit for bit") {
  Fixture f;
  const std::string folder = f.fresh();
  f.box.check_out(f.repository, "base", folder);
  std::string last = "base";
  for (const auto& [text, composed] : kExpressions) {
    INFO(last << " to " << text);
    const auto before = files_of(folder);
    const ApplyReport report = switch_folder(f.repository, f.find(text), folder, false, {}, {});
    CHECK(report.before == last);
    CHECK(files_of(folder) == f.checkout_of(text));
    unapply(f.box.fs, folder);
    CHECK(files_of(folder) == before);
    switch_folder(f.repository, f.find(text), folder, false, {}, {});
    last = text;
  }
  switch_folder(f.repository, f.find("base+a"), folder, false, {}, {});
  CHECK(files_of(folder) == f.checkout_of("base+a"));
  switch_folder(f.repository, f.find("base+0.7*a"), folder, true, {}, {});
  CHECK(std::filesystem::exists(folder + "/model.safetensors"));
  CHECK(f.leftovers() == 0);
}

TEST_CASE("a computed revision goes onto the base in other shards, and is refused by what is not the base") {
  Fixture f;
  const std::string sharded = f.fresh();
  const std::vector<TestTensor> first(f.base.begin(), f.base.begin() + 2), second(f.base.begin() + 2, f.base.end());
  put(sharded + "/model-00001-of-00002.safetensors", shard(first));
  put(sharded + "/model-00002-of-00002.safetensors", shard(second));
  nlohmann::json index{{"weight_map", nlohmann::json::object()}};
  for (std::size_t i = 0; i < f.base.size(); ++i) index["weight_map"][f.base[i].name] = i < 2 ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
  put(sharded + "/" + std::string(kIndexFile), index.dump());
  const auto before = files_of(sharded);
  apply_task(f.repository, f.find("base+0.5*a+c"), sharded, {}, {});
  const CheckpointFolder changed(f.box.fs, sharded);
  const OpenTask task = open_task(f.repository, f.find("base+0.5*a+c"));
  for (const TensorInfo& info : task.weights().tensors()) CHECK(read_tensor(changed.tensors(), info.name) == read_tensor(task.weights(), info.name));
  CHECK(error_of([&] { apply_task(f.repository, f.find("base+a+b"), sharded, {}, {}); }) == ErrorCode::conflict);
  unapply(f.box.fs, sharded);
  CHECK(files_of(sharded) == before);
  const std::string other = f.fresh();
  f.box.check_out(f.repository, "next", other);
  const auto untouched = files_of(other);
  CHECK(error_of([&] { apply_task(f.repository, f.find("base+a+b"), other, {}, {}); }) == ErrorCode::conflict);
  CHECK(error_of([&] { apply_task(f.repository, f.find("next"), other, {}, {}); }) == ErrorCode::invalid_argument);
  CHECK(files_of(other) == untouched);
}

TEST_CASE("an encoded computation is the commit of it: difference, weights, statistics") {
  Fixture f;
  int kept_before = 0;
  for (const auto& [text, composed] : kExpressions) {
    INFO(text);
    const RefName branch = RefName::parse("kept" + std::to_string(++kept_before));
    const Commit commit = f.repository.read_commit(commit_computed(f.repository, f.find(text), "kept", branch, f.box.committer(), {}).commit);
    OpenTask task = open_task(f.repository, f.find(text));
    DeltaTable delta = read_delta(f.repository, commit);
    CHECK(task.delta.serialize() == delta.serialize());
    const auto weights = StoredWeights::load(f.repository.store(), delta);
    const TaskComparison compared = compare_tasks(f.repository.store(), {{&delta, weights.get()}, {&task.delta, &task.weights()}}, 0, {});
    const DifferenceStats &kept = compared.tasks[0].total, &computed = compared.tasks[1].total;
    CHECK(kept.changed == computed.changed);
    CHECK(kept.sum_of_squares == computed.sum_of_squares);
    REQUIRE(compared.pairs.size() == 1);
    CHECK(compared.pairs[0].shared == kept.changed);
    for (std::size_t i = 0; i < compared.tasks[0].tensors.size(); ++i) CHECK(compared.tasks[0].tensors[i].bytes == compared.tasks[1].tensors[i].bytes);
  }
}

TEST_CASE("merging what is computed is merging its commit, and names the commits that it came from") {
  Fixture f;
  commit_computed(f.repository, f.find("base+a+b"), "both", RefName::parse("both"), f.box.committer(), {});
  CHECK(f.checkout_of("merge(ties,density=0.3: 0.5*both, c)") == f.checkout_of("merge(ties,density=0.3,weight=0.5;1: base+a+b, c)"));
  const MergeMethod& method = find_merge_method("ties");
  const MergeSettings settings(method.name, method.parameters, {{"density", {"0.3"}}}, 2, 0);
  MergeOptions options;
  options.method = &method;
  options.settings = &settings;
  options.message = "merged";
  const auto merged = [&](const std::string& first, const std::string& name) {
    const std::vector<MergeSource> sources{find_merge_source(f.repository, first), find_merge_source(f.repository, "c")};
    return f.repository.read_commit(merge(f.repository, sources, options, RefName::parse(name), f.box.committer(), {}).commit);
  };
  const Commit x = merged("base+a+b", "x"), y = merged("both", "y");
  CHECK(x.delta == y.delta);
  CHECK(x.checkpoint == y.checkpoint);
  const auto id = [&](const char* name) { return resolve_commit(f.repository, name); };
  CHECK(x.parents == std::vector<ObjectId>{id("a"), id("b"), id("c")});
  CHECK(x.derived_from == x.parents);
  CHECK(x.base == id("base"));
  CHECK(x.fact("models") == f.find("base+a+b").computed->pinned() + "; " + id("c").hex());
  CHECK(y.fact("models").empty());
  CHECK(f.leftovers() == 0);
}

/// What is read-only is the repository, so that nothing can be written there.
class ReadOnlyFilesystem : public PassingFilesystem {
 public:
  explicit ReadOnlyFilesystem(std::string dir) : dir_(std::move(dir)) {}
  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override {
    if (path.starts_with(dir_) && mode != OpenMode::read && mode != OpenMode::read_store) throw Error(ErrorCode::io, path + ": read-only file system");
    return PassingFilesystem::open(path, mode, permissions);
  }

 private:
  const std::string dir_;
};

TEST_CASE("what is computed from a repository that cannot be written to lies in the system's folder for such") {
  Fixture f;
  const std::string temporary = f.box.dir / "temporary";
  std::filesystem::create_directory(temporary);
  ::setenv("TMPDIR", temporary.c_str(), 1);
  {
    ReadOnlyFilesystem fs(f.repository.directory());
    const Repository repository = Repository::open(fs, f.repository.directory(), IndexMode::memory);
    const OpenTask task = open_task(repository, resolve_revision(repository, "base+0.5*a+b"));
    CHECK(std::filesystem::directory_iterator(temporary) != std::filesystem::directory_iterator());
    CHECK(task.weights().weights_id() == open_task(f.repository, f.find("base+0.5*a+b")).weights().weights_id());
  }
  CHECK(std::filesystem::directory_iterator(temporary) == std::filesystem::directory_iterator());
  ::unsetenv("TMPDIR");
}

/// A file system with reflinks, as far as a copy is one. Counts clones and the bytes written into them.
class CloningFilesystem : public PassingFilesystem {
 public:
  std::vector<std::string> cloned;
  bool shorter = false;  ///< gives a byte less
  bool other = false;    ///< gives other bytes
  bool try_clone(const std::string& from, File& to) override {
    Bytes bytes = read_file(real_, from);
    if (other) std::fill(bytes.begin(), bytes.end(), std::byte{7});
    if (shorter) bytes.pop_back();
    to.write_at(0, bytes);
    cloned.push_back(file_name(from));
    return true;
  }
};

TEST_CASE("a new folder shares the blocks of the base's files where the file system can, with the same bytes") {
  Fixture f;
  for (const char* text : {"a", "c", "base+0.5*a+b", "base+0.5*a+c"}) {
    for (const int way : {0, 1, 2}) {
      INFO(text << " " << way);
      CloningFilesystem fs;
      fs.shorter = way == 1;
      fs.other = way == 2;
      Repository repository = Repository::open(fs, f.repository.directory(), IndexMode::memory);
      const std::string plain = f.fresh(), cloned = f.fresh();
      apply_to_new(f.repository, f.find(text), f.box.dir / "base", plain, {}, {});
      apply_to_new(repository, f.find(text), f.box.dir / "base", cloned, {}, {});
      CHECK(std::find(fs.cloned.begin(), fs.cloned.end(), "model.safetensors") != fs.cloned.end());
      CHECK(files_of(cloned) == files_of(plain));
      CHECK(folder_changes(f.box.fs, cloned, *read_checkout_record(f.box.fs, cloned), true).empty());
    }
  }
}

}  // namespace
}  // namespace dstore::test
