// What the command line cannot show: interruptions at chosen points, disks of chosen size, file systems with reflinks.
#include "repo/fsck.h"

#include "base/passing_filesystem.h"
#include "odb/layout.h"
#include "repo/fsck_state.h"
#include "repo/repair.h"
#include "repo/upkeep.h"

namespace dstore::test {
namespace {

struct Stopped {};

/// Another file with other bytes under the same name.
void replace_file(const std::string& path, const Bytes& bytes) {
  std::filesystem::remove(path);
  put(path, as_text(bytes));
}

/// A repository of several packs, and a remote with the same.
struct Fixture {
  Sandbox box;
  Repository repository = box.init("repo");
  Fixture() {
    make_model(box.dir / "base", encoder());
    box.import(repository, box.dir / "base", "base");
    for (unsigned i = 0; i < 3; ++i) {
      std::vector<TestTensor> tensors = encoder();
      tensors[2].bytes[i] ^= 1;
      make_model(box.dir / ("task" + std::to_string(i)), tensors);
      box.commit(repository, box.dir / ("task" + std::to_string(i)), "base", "task" + std::to_string(i));
    }
    box.add_remote(repository, "origin", box.dir / "remote");
    push(repository, "origin", {}, box.committer(), {}, {});
  }
  Repository reopen(Filesystem& fs) { return Repository::open(fs, repository.directory(), IndexMode::memory); }

  /// Flips a bit in every chunk of the largest pack.
  ObjectId damage_base() {
    ObjectId largest;
    std::uint64_t size = 0;
    for (const ObjectId& pack : repository.store().packs()) {
      const std::uint64_t bytes = box.fs.stat(repository.store().pack_path(pack), false)->size;
      if (bytes > size) largest = pack, size = bytes;
    }
    Bytes bytes = read_file(box.fs, repository.store().pack_path(largest));
    for (const PackEntry& entry : read_trailer(*box.fs.open(repository.store().pack_path(largest), OpenMode::read_store), largest)) {
      if (entry.kind == ObjectKind::chunk && entry.stored_size > 0) bytes[entry.offset + layout::kRecordHeaderSize] ^= std::byte{1};
    }
    replace_file(repository.store().pack_path(largest), bytes);
    return largest;
  }
};

/// Fails at the n-th call that changes the disk, as if the process had been killed there.
class StoppingFilesystem : public PassingFilesystem {
 public:
  explicit StoppingFilesystem(int at) : left_(at) {}
  int calls() const { return calls_; }
  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override {
    if (mode == OpenMode::create_new) count();
    return PassingFilesystem::open(path, mode, permissions);
  }
  void rename(const std::string& from, const std::string& to) override { count(), PassingFilesystem::rename(from, to); }
  bool link(const std::string& from, const std::string& to) override { return count(), PassingFilesystem::link(from, to); }
  void remove(const std::string& path) override { count(), PassingFilesystem::remove(path); }
  void sync_directory(const std::string& path) override { count(), PassingFilesystem::sync_directory(path); }

 private:
  void count() {
    ++calls_;
    if (--left_ <= 0) throw Error(ErrorCode::io, "injected: stopped");
  }
  int calls_ = 0;
  int left_;
};

/// Runs `action` once, when a pack is opened after arm().
class ActingFilesystem : public PassingFilesystem {
 public:
  std::function<void()> action;
  void arm() { armed_ = true; }
  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override {
    if (path.find("/packs/") != std::string::npos && std::exchange(armed_, false)) action();
    return PassingFilesystem::open(path, mode, permissions);
  }

 private:
  bool armed_ = false;
};

class SmallDisk : public PassingFilesystem {
 public:
  std::uint64_t free = 0;
  std::uint64_t free_space(const std::string&) override { return free; }
};

/// A file system with reflinks, as far as a copy is one. Counts them.
class CloningFilesystem : public PassingFilesystem {
 public:
  int clones = 0;
  bool wrong = false;  ///< gives other bytes
  bool try_clone(const std::string& from, File& to) override {
    Bytes bytes = read_file(real_, from);
    if (wrong) bytes.back() ^= std::byte{1};
    to.write_at(0, bytes);
    ++clones;
    return true;
  }
};

}  // namespace

TEST_CASE("an interrupted check goes on with the packs that it had not read; damage is found all the same") {
  Fixture f;
  const std::size_t packs = f.repository.store().packs().size();
  REQUIRE(packs > 2);
  FsckOptions deep;
  deep.level = FsckLevel::deep;
  const auto stop_at = [&](const std::string& stage) {
    deep.progress = [stage](const std::string& label) -> Progress {
      return [stage, label](std::uint64_t, std::uint64_t) {
        if (label == stage) throw Stopped{};
      };
    };
    CHECK_THROWS_AS(fsck(f.repository, deep), Stopped);
  };
  stop_at("verifying");
  CHECK_FALSE(exists(f.box.fs, f.repository.path("fsck-state")));  // no pack was read in full
  stop_at("reconstructing");
  CHECK(exists(f.box.fs, f.repository.path("fsck-state")));
  stop_at("reconstructing");
  FsckOptions plain;
  FsckReport report = fsck(f.repository, plain);
  CHECK(report.findings.empty());
  CHECK(report.resumed == packs);
  CHECK(fsck(f.repository, plain).resumed == 0);
  {
    FsckState state(f.box.fs, f.repository.directory());
    for (const ObjectId& pack : f.repository.store().packs()) state.add(pack, *f.box.fs.stat(f.repository.store().pack_path(pack), false));
  }
  CHECK(exists(f.box.fs, f.repository.path("fsck-state")));
  const ObjectId damaged = f.damage_base();  // its file is another one now
  report = fsck(f.repository, plain);
  CHECK(report.resumed == packs - 1);
  CHECK(report.packs == packs);
  CHECK_FALSE(report.findings.empty());
  CHECK(report.good_packs.count(damaged) == 0);
  CHECK_FALSE(exists(f.box.fs, f.repository.path("fsck-state")));

  for (const char* text : {"", "{", "{\"packs\":{\"x\":{}},\"v\":1}", "{\"packs\":{},\"v\":2}", "{\"made\":[\"x\"],\"packs\":{},\"v\":2}"}) {
    put(f.repository.path("fsck-state"), text);
    CHECK(fsck(f.repository, plain).resumed == 0);
  }
}

TEST_CASE("an interrupted deep check does not make again the files that it had made") {
  Fixture f;
  FsckOptions deep;
  deep.level = FsckLevel::deep;
  const FsckReport whole = fsck(f.repository, deep);
  std::size_t most = 0;
  for (int stop = 1; stop < 40; ++stop) {
    int calls = 0;
    deep.progress = [&](const std::string& label) -> Progress {
      return [&calls, label, stop](std::uint64_t, std::uint64_t) {
        if (label == "reconstructing" && ++calls == stop) throw Stopped{};
      };
    };
    bool stopped = false;
    try {
      fsck(f.repository, deep);
    } catch (const Stopped&) {
      stopped = true;
    }
    if (!stopped) break;
    deep.progress = {};
    const FsckReport rest = fsck(f.repository, deep);
    CHECK(rest.findings.empty());
    CHECK(rest.checkouts == whole.checkouts);
    CHECK(rest.files_resumed >= most);
    most = std::max(most, rest.files_resumed);
    CHECK(fsck(f.repository, deep).files_resumed == 0);
  }
  CHECK(most > 0);
}

TEST_CASE("a repair that stops anywhere loses nothing, and the next one completes it") {
  int last = 1;
  for (int at = 1; at <= last; ++at) {
    Fixture f;
    const ObjectId damaged = f.damage_base();
    const Bytes bytes = read_file(f.box.fs, f.repository.store().pack_path(damaged));
    StoppingFilesystem stopping(at);
    bool stopped = false;
    {
      Repository repository = f.reopen(stopping);
      const FsckReport found = fsck(f.reopen(f.box.fs), {});
      REQUIRE_FALSE(found.findings.empty());
      const auto source = open_repair_source(repository, "origin");
      try {
        repair(repository, found, *source, {});
      } catch (const Error&) {
        stopped = true;
      }
    }
    if (stopped) last = at + 1;
    Repository repository = f.reopen(f.box.fs);
    const FsckReport found = fsck(repository, {});
    if (!found.findings.empty()) {
      const auto source = open_repair_source(repository, "origin");
      CHECK(repair(repository, found, *source, {}).left.empty());
    } else {
      CHECK((!stopped || at > 5));
    }
    FsckOptions deep;
    deep.level = FsckLevel::deep;
    const FsckReport after = fsck(f.reopen(f.box.fs), deep);
    CHECK(after.findings.empty());
    CHECK(after.checkouts == 4);
    bool kept = false;
    for (const std::string& name : f.box.fs.list(f.repository.path("quarantine"))) {
      kept = kept || read_file(f.box.fs, f.repository.path("quarantine/" + name)) == bytes;
    }
    CHECK(kept);
  }
  CHECK(last > 8);
}

TEST_CASE("what does not fit is refused before anything is written, with both sizes") {
  Fixture f;
  SmallDisk disk;
  disk.free = 3000;
  Repository small = f.reopen(disk);
  std::vector<TestTensor> tensors = encoder("", 77);
  make_model(f.box.dir / "new", tensors);
  const auto before = files_of(f.repository.directory());
  const auto says = [&](const std::string& message, const char* what) {
    INFO(message);
    CHECK(message.find(std::string(what) + " writes up to ") != std::string::npos);
    CHECK(message.find("3.00 kB free; nothing was written") != std::string::npos);
  };
  says(message_of([&] { f.box.import(small, f.box.dir / "new", "new"); }), "the import");
  CHECK(files_of(f.repository.directory()) == before);
  disk.free = 1000;
  CHECK(message_of([&] { f.box.check_out(small, "base", f.box.dir / "out"); }).find("the checkout writes up to") != std::string::npos);
  CHECK_FALSE(exists(f.box.fs, f.box.dir / "out"));
  disk.free = 3000;
  Repository empty = Repository::create(disk, f.box.dir / "clone", IndexMode::memory);
  f.box.add_remote(empty, "origin", f.box.dir / "remote");
  says(message_of([&] { fetch(empty, "origin", {}, {}); }), "the transfer");
  CHECK(empty.store().packs().empty());
  CHECK(empty.remote_refs("origin").list().empty());

  // An import that finds its chunks in the store needs little.
  disk.free = 100'000;
  make_model(f.box.dir / "large", {tensor("w", {100'000}, 5)});
  CHECK(error_of([&] { f.box.import(small, f.box.dir / "large", "large"); }) == ErrorCode::io);
  disk.free = std::uint64_t(1) << 40;
  f.box.import(small, f.box.dir / "large", "large");
  disk.free = 100'000;
  f.box.import(small, f.box.dir / "large", "large-again");
  // So does one of the same chunk over and over.
  make_model(f.box.dir / "even", {{"w", DType::u8, {std::uint64_t(8) << 20}, std::string(8 << 20, 'x')}});
  disk.free = 5 << 20;
  f.box.import(small, f.box.dir / "even", "even");

  std::string told;
  disk.free = std::uint64_t(1) << 40;
  require_room(disk, f.box.dir / "not/there/yet", 14'200'000'000, "the import", [&](const std::string& line) { told = line; });
  CHECK(told.starts_with("the import writes up to 14.2 GB, 1.10 TB free, about "));
  told.clear();
  require_room(disk, f.box.dir / "x", 1000, "the import", [&](const std::string& line) { told = line; });
  CHECK(told.empty());
}

TEST_CASE("commits that a gc removes during a check are no findings") {
  Upkeep f;
  for (unsigned i = 0; i < 3; ++i) {
    const std::string name = "task" + std::to_string(i);
    f.make_task(i, name);
    f.move(name, ObjectId());
  }
  ActingFilesystem acting;
  acting.action = [&] { CHECK(gc(f.ada).removed[ObjectKind::commit].objects == 3); };
  FsckOptions options;
  options.index = false;
  for (const ObjectId& pack : f.ada.store().packs()) options.known_good.insert(pack);  // so that commits are the first to be read
  f.ada.store().write_index();  // packs that it lists are not opened before
  Repository checked = Repository::open(acting, f.ada.directory(), IndexMode::database);
  acting.arm();
  const FsckReport report = fsck(checked, options);
  CHECK(report.findings.empty());
  CHECK(report.commits == 1);
}

TEST_CASE("a checkout shares blocks with a linked file or a checkout beside it, and proves what it got") {
  Sandbox box;
  CloningFilesystem cloning;
  Repository repository = Repository::create(cloning, box.dir / "repo/.dstore", IndexMode::memory);
  make_model(box.dir / "base", {tensor("w", {300'000}, 5), tensor("b", {10}, 6)});
  ImportOptions options;
  options.link = true;
  import_folder(repository, CheckpointFolder(cloning, box.dir / "base"), RefName::parse("base"), "x", box.committer(), {}, options);
  box.check_out(repository, "base", box.dir / "one");
  CHECK(cloning.clones == 1);
  CHECK(files_of(box.dir / "one") == files_of(box.dir / "base"));

  cloning.wrong = true;  // the copy is not what was asked for: written as always
  box.check_out(repository, "base", box.dir / "two");
  CHECK(cloning.clones > 1);
  CHECK(files_of(box.dir / "two") == files_of(box.dir / "base"));

  cloning.wrong = false;
  import_folder(repository, CheckpointFolder(cloning, box.dir / "base"), RefName::parse("base"), "x", box.committer(), {});
  REQUIRE(repository.store().links().entries().empty());
  std::filesystem::remove_all(box.dir / "base");
  cloning.clones = 0;
  box.check_out(repository, "base", box.dir / "three");
  CHECK(cloning.clones == 1);
  CHECK(files_of(box.dir / "three") == files_of(box.dir / "one"));

  // Files that were changed since their checkout are no source.
  for (const char* name : {"one", "two", "three"}) put(box.dir / name + "/model.safetensors", "changed");
  cloning.clones = 0;
  box.check_out(repository, "base", box.dir / "four");
  CHECK(cloning.clones == 0);
}

TEST_CASE("a transfer that meets a damaged object at the other side sends it again") {
  Fixture f;
  Repository remote = Repository::open(f.box.fs, f.box.dir / "remote", IndexMode::memory);
  const auto entry = remote.store().find(resolve_commit(f.repository, "base"));
  REQUIRE(entry.has_value());
  Bytes bytes = read_file(f.box.fs, remote.store().pack_path(entry->pack));
  bytes[entry->offset + layout::kRecordHeaderSize] ^= std::byte{1};
  replace_file(remote.store().pack_path(entry->pack), bytes);
  Repository again = Repository::open(f.box.fs, f.box.dir / "remote", IndexMode::memory);
  CHECK(error_of([&] { again.read_commit(entry->id); }) == ErrorCode::corrupt);
  copy_missing(f.repository, again, {entry->id}, {});
  CHECK(again.read_commit(entry->id).checkpoint == f.repository.read_commit(entry->id).checkpoint);
}

}  // namespace dstore::test
