#include "repo/checkout.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/sha256.h"
#include "durability/fault_filesystem.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

using Fault = FaultFilesystem::Fault;

struct Fixture {
  Sandbox box;
  Repository repository = box.init("repository");
  Fixture() {
    make_model(box.dir / "base", encoder());
    put(box.dir / "base/sub/only-base", "x");
    put(box.dir / "base/turns", "a file");
    box.import(repository, box.dir / "base", "base");
    std::vector<TestTensor> tensors = encoder("bert.");
    tensors[1].bytes[3] ^= 1;
    make_model(box.dir / "task", tensors, "task config");
    put(box.dir / "task/turns/into/a-folder", "y");
    put(box.dir / "task/sub", "now a file");
    box.commit(repository, box.dir / "task", "base", "task");
  }
};

TEST_CASE("a checkout in place rewrites what differs, removes what is gone, and goes back") {
  Fixture f;
  const std::string out = f.box.dir / "out";
  f.box.check_out(f.repository, "base", out);
  const CheckoutReport report = f.box.check_out(f.repository, "task", out);
  CHECK(report.in_place);
  CHECK(report.kept == 1);  // 1_Pooling/config.json
  CHECK(files_of(out) == files_of(f.box.dir / "task"));
  CHECK_FALSE(std::filesystem::exists(out + "/.dstore-intent"));
  CHECK(f.box.check_out(f.repository, "task", out).written == 0);
  f.box.check_out(f.repository, "base", out);
  CHECK(files_of(out) == files_of(f.box.dir / "base"));
  CHECK(read_checkout_record(f.box.fs, out)->branch == "base");
}

TEST_CASE("changed and foreign files are not overwritten unless asked for") {
  Fixture f;
  const std::string out = f.box.dir / "out";
  f.box.check_out(f.repository, "base", out);
  put(out + "/config.json", "{\"a\": 2}\n");  // same size as before
  CHECK(error_of([&] { f.box.check_out(f.repository, "task", out); }) == ErrorCode::conflict);
  CHECK(slurp(out + "/config.json") == "{\"a\": 2}\n");
  put(out + "/config.json", "{\"a\": 1}\n");  // touched, but as it was
  put(out + "/notes.txt", "mine");
  f.box.check_out(f.repository, "task", out);
  CHECK(slurp(out + "/notes.txt") == "mine");
  put(out + "/sub2", "x");
  f.box.check_out(f.repository, "base", out);

  std::filesystem::remove(out + "/.dstore-checkout");
  CHECK(error_of([&] { f.box.check_out(f.repository, "task", out); }) == ErrorCode::conflict);
  put(f.box.dir / "other/config.json", "foreign");
  CHECK(error_of([&] { f.box.check_out(f.repository, "base", f.box.dir / "other"); }) == ErrorCode::conflict);
  CheckoutOptions force;
  force.force = true;
  f.box.check_out(f.repository, "base", f.box.dir / "other", force);
  CHECK(files_of(f.box.dir / "other") == files_of(f.box.dir / "base"));
  put(f.box.dir / "file", "x");
  CHECK(error_of([&] { f.box.check_out(f.repository, "base", f.box.dir / "file"); }) == ErrorCode::conflict);
}

TEST_CASE("a missing file is written again") {
  Fixture f;
  const std::string out = f.box.dir / "out";
  f.box.check_out(f.repository, "base", out);
  std::filesystem::remove(out + "/config.json");
  CHECK(f.box.check_out(f.repository, "base", out).written == 1);
  CHECK(files_of(out) == files_of(f.box.dir / "base"));
}

TEST_CASE("a checkout does not write through links in its folder") {
  Fixture f;
  const std::string out = f.box.dir / "out";
  f.box.check_out(f.repository, "base", out);
  std::filesystem::remove_all(out + "/1_Pooling");
  std::filesystem::create_directories(f.box.dir / "elsewhere");
  std::filesystem::create_directory_symlink(f.box.dir / "elsewhere", out + "/1_Pooling");
  CheckoutOptions force;
  force.force = true;
  CHECK(error_of([&] { f.box.check_out(f.repository, "base", out, force); }) == ErrorCode::conflict);
  CHECK(std::filesystem::is_empty(f.box.dir / "elsewhere"));
}

TEST_CASE("damaged objects never become files") {
  Fixture f;
  for (const auto& pack : std::filesystem::directory_iterator(f.box.dir / "repository/.dstore/packs")) {
    std::string bytes = slurp(pack.path().string());
    bytes[bytes.size() / 3] ^= 1;
    std::filesystem::permissions(pack.path(), std::filesystem::perms::owner_all);
    put(pack.path().string(), bytes);
  }
  CHECK(error_of([&] {
          const Repository reopened = Repository::open(f.box.fs, f.repository.directory(), IndexMode::memory);
          f.box.check_out(reopened, "base+task", f.box.dir / "out");
          f.box.check_out(reopened, "base", f.box.dir / "out2");
        }).has_value());
  CHECK_FALSE(std::filesystem::exists(f.box.dir / "out2"));
}

TEST_CASE("chunks of other bytes under a right checksum never become files, and a good copy is found") {
  Fixture f;
  const bool good_copy_too = GENERATE(true, false);
  for (const ObjectId& name : f.repository.store().packs()) {
    const std::string path = f.repository.store().pack_path(name);
    PackWriter writer(f.box.fs, f.box.dir.path());
    {
      const auto file = f.box.fs.open(path, OpenMode::read_store);
      for (const PackEntry& entry : read_trailer(*file, name)) {
        Bytes raw = read_object(*file, entry);
        if (entry.kind == ObjectKind::chunk && !raw.empty()) raw.back() ^= std::byte{1};
        writer.append(entry.kind, entry.id, raw.size(), Codec::none, raw);
      }
    }
    writer.finish();
    writer.publish(parent_path(path));
    if (!good_copy_too) std::filesystem::remove(path);
  }
  const Repository lying = Repository::open(f.box.fs, f.repository.directory(), IndexMode::memory);
  for (const std::string name : {"base", "task"}) {
    const std::string out = f.box.dir / ("out-" + name);
    if (good_copy_too) {
      f.box.check_out(lying, name, out);
      CHECK(slurp(out + "/model.safetensors") == slurp(f.box.dir / name + "/model.safetensors"));
    } else {
      CHECK(message_of([&] { f.box.check_out(lying, name, out); }).find("do not have this id") != std::string::npos);
      CHECK_FALSE(std::filesystem::exists(out));
    }
  }
}

/// Prepares a folder that was checked out as `base` and the swap to `task`, both with real files.
FolderSwap prepare(Sandbox& box, const std::string& folder) {
  CheckoutRecord before;
  const auto row = [&](const std::string& path) {
    const auto info = box.fs.stat(path, false);
    return CheckoutRecord::FileRow{sha256(as_bytes(slurp(path))), info->size, info->mtime_ns, info->inode};
  };
  for (const char* path : {"kept", "turns", "sub/gone", "changed"}) {
    put(folder + "/" + path, "old");
    before.files[path] = row(folder + "/" + path);
  }
  before.revision = "base";
  before.commit = sha256(as_bytes("base"));
  put(folder + "/.dstore-checkout", before.serialize());
  FolderSwap swap;
  swap.removals = {"sub/gone", "turns"};
  swap.record.revision = "task";
  swap.record.commit = sha256(as_bytes("task"));
  swap.record.files["kept"] = before.files["kept"];
  for (const char* path : {"changed", "sub", "turns/into/a", "turns/into/b"}) {
    const std::string temporary = temporary_checkout_name();
    put(folder + "/" + temporary, "new");
    swap.renames[temporary] = path;
    swap.record.files[path] = row(folder + "/" + temporary);
  }
  return swap;
}

const std::map<std::string, std::string> kOld = {{"kept", "old"}, {"turns", "old"}, {"sub/gone", "old"}, {"changed", "old"}};
const std::map<std::string, std::string> kNew = {{"kept", "old"}, {"changed", "new"}, {"sub", "new"}, {"turns/into/a", "new"}, {"turns/into/b", "new"}};

/// Runs body in a process of its own, which a fault may end.
template <typename Body>
void in_child(const Body& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      body();
    } catch (...) {
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
}

TEST_CASE("a folder swap killed at any call is the old state or the new one when it is next looked at") {
  Sandbox box;
  FaultFilesystem counter;
  swap_folder(counter, box.dir / "count", prepare(box, box.dir / "count"));
  CHECK(files_of(box.dir / "count") == kNew);
  REQUIRE(counter.calls() > 10);
  bool old_seen = false, new_seen = false;
  for (const Fault fault : {Fault::kill, Fault::tear_kill}) {
    for (int at = 1; at <= counter.calls(); ++at) {
      const std::string folder = box.dir / (std::to_string(static_cast<int>(fault)) + "-" + std::to_string(at));
      const FolderSwap swap = prepare(box, folder);
      in_child([&] {
        FaultFilesystem fs(fault, at);
        swap_folder(fs, folder, swap);
      });
      // The command that finishes it may be killed as well, at any place.
      for (int second = 1; second < counter.calls(); second += 3) {
        in_child([&] {
          FaultFilesystem fs(Fault::kill, second);
          read_checkout_record(fs, folder);
        });
      }
      const auto record = read_checkout_record(box.fs, folder);
      REQUIRE(record.has_value());
      INFO("killed at call " << at);
      CHECK(files_of(folder) == (record->revision == "task" ? kNew : kOld));
      (record->revision == "task" ? new_seen : old_seen) = true;
      // Nothing is left but the record and the file of a lock that died with its process; commits pass both over.
      remove_leftovers(box.fs, folder);
      for (const std::string& name : box.fs.list(folder)) {
        INFO(name);
        CHECK((!name.starts_with(".") || name == ".dstore-checkout" || name == ".dstore-lock"));
      }
      CHECK(folder_changes(box.fs, folder, *record, false).empty());
    }
  }
  CHECK(old_seen);
  CHECK(new_seen);
}

TEST_CASE("a folder swap whose disk fails at any call can be finished or is undone") {
  Sandbox box;
  FaultFilesystem counter;
  swap_folder(counter, box.dir / "count", prepare(box, box.dir / "count"));
  for (int at = 1; at <= counter.calls(); ++at) {
    const std::string folder = box.dir / std::to_string(at);
    const FolderSwap swap = prepare(box, folder);
    FaultFilesystem fs(Fault::error, at);
    CHECK(error_of([&] { swap_folder(fs, folder, swap); }) == ErrorCode::io);
    const auto record = read_checkout_record(box.fs, folder);
    CHECK(files_of(folder) == (record->revision == "task" ? kNew : kOld));
  }
}

TEST_CASE("a swap whose temporary file somebody took away does not pass for the new checkout") {
  Sandbox box;
  const std::string folder = box.dir / "folder";
  const FolderSwap swap = prepare(box, folder);
  for (const auto& [temporary, path] : swap.renames) {
    if (path == "changed") box.fs.remove(folder + "/" + temporary);
  }
  CHECK(error_of([&] { swap_folder(box.fs, folder, swap); }) == ErrorCode::conflict);
}

TEST_CASE("a new checkout killed at any call leaves no folder of that name, or the whole one") {
  Fixture f;
  const auto wanted = files_of(f.box.dir / "base");
  FaultFilesystem counter;
  const Repository counted = Repository::open(counter, f.repository.directory(), IndexMode::memory);
  checkout(counted, resolve_revision(counted, "base"), f.box.dir / "count", {}, {});
  for (int at = 1; at <= counter.calls(); ++at) {
    const std::string out = f.box.dir / ("out" + std::to_string(at));
    in_child([&] {
      FaultFilesystem fs(Fault::tear_kill, at);
      const Repository repository = Repository::open(fs, f.repository.directory(), IndexMode::memory);
      CheckoutOptions options;
      options.threads = 1;
      checkout(repository, resolve_revision(repository, "base"), out, options, {});
    });
    if (std::filesystem::exists(out) && files_of(out) != wanted) FAIL("half a checkout, killed at call " << at);
  }
}

}  // namespace
}  // namespace dstore::test
