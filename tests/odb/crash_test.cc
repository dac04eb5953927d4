#include <sys/wait.h>
#include <unistd.h>

#include "fault_filesystem.h"
#include "test_store.h"

namespace dstore::test {
namespace {

using Fault = FaultFilesystem::Fault;

const ObjectId kRepository = fake_id("repository");
const RefName kRef = RefName::parse("team/Task");
constexpr int kCommits = 3;

Bytes chunk_of(int commit) { return random_bytes(700, static_cast<unsigned>(commit)); }
Bytes commit_bytes(int commit) { return text_bytes("commit " + std::to_string(commit)); }

/// What a commit does: objects, pack, ref entry. One more than the head says.
int commit_once(Filesystem& fs, const std::string& dir) {
  ObjectStore store = ObjectStore::open(fs, dir, IndexMode::memory);
  RefLog log(fs, join_path(dir, "refs"), kRepository);
  const auto head = log.head(kRef);
  const int number = head ? static_cast<int>(head->sequence) + 1 : 1;
  PackSession session = store.begin_write();
  session.add(ObjectKind::chunk, chunk_of(number));
  const ObjectId commit = session.add(ObjectKind::commit, commit_bytes(number));
  session.commit();
  if (!log.append(next_entry(head, kRepository, kRef, RefKind::branch, commit, 1))) throw Error(ErrorCode::conflict, "lost");
  return number;
}

/// Starts from an empty folder; reports each acknowledged commit.
template <typename Acknowledge>
void work(Filesystem& fs, const std::string& dir, const Acknowledge& acknowledge) {
  ObjectStore::create(fs, dir);
  for (int i = 0; i < kCommits; ++i) acknowledge(commit_once(fs, dir));
}

/// At least `acknowledged` commits are there, and every commit that a ref names is there whole.
void check_store(const std::string& dir, int acknowledged) {
  Filesystem& fs = posix_filesystem();
  const auto entries = RefLog(fs, join_path(dir, "refs"), kRepository).entries(kRef);
  REQUIRE(static_cast<int>(entries.size()) >= acknowledged);
  if (entries.empty() && acknowledged == 0 && !exists(fs, join_path(dir, "packs"))) return;
  ObjectStore store = ObjectStore::open(fs, dir, IndexMode::database);
  for (const RefEntry& entry : entries) {
    const int number = static_cast<int>(entry.sequence);
    CHECK(store.read(ObjectKind::commit, entry.new_commit) == commit_bytes(number));
    CHECK(store.read(ObjectKind::chunk, object_id(ObjectKind::chunk, chunk_of(number))) == chunk_of(number));
  }
  CHECK(store.verify_all().empty());
}

/// The next command works.
void check_goes_on(const std::string& dir, int acknowledged) {
  ObjectStore::create(posix_filesystem(), dir);
  const int next = commit_once(posix_filesystem(), dir);
  CHECK(next > acknowledged);
  check_store(dir, next);
}

int count_calls() {
  const ScratchFolder folder;
  FaultFilesystem fs;
  work(fs, folder.path(), [](int) {});
  return fs.calls();
}

}  // namespace

TEST_CASE("a process killed at any change to the disk loses no acknowledged commit") {
  const int calls = count_calls();
  REQUIRE(calls > 40);
  for (const Fault fault : {Fault::kill, Fault::tear_kill}) {
    for (int at = 1; at <= calls; ++at) {
      INFO("call " << at << " of " << calls);
      const ScratchFolder folder;
      int channel[2];
      REQUIRE(pipe(channel) == 0);
      const pid_t child = fork();
      if (child == 0) {
        FaultFilesystem fs(fault, at);
        try {
          work(fs, folder.path(), [&](int number) {
            const char byte = static_cast<char>(number);
            if (write(channel[1], &byte, 1) != 1) _exit(2);
          });
        } catch (...) {
          _exit(3);
        }
        _exit(4);  // the fault was never reached
      }
      close(channel[1]);
      int acknowledged = 0;
      for (char byte; read(channel[0], &byte, 1) == 1;) acknowledged = byte;
      close(channel[0]);
      int status = 0;
      waitpid(child, &status, 0);
      REQUIRE(WIFEXITED(status));
      REQUIRE(WEXITSTATUS(status) == 0);
      check_store(folder.path(), acknowledged);
      check_goes_on(folder.path(), acknowledged);
    }
  }
}

TEST_CASE("a power cut at any change to the disk loses no acknowledged commit, whatever was not synced") {
  const int calls = count_calls();
  for (const bool drop_entries : {false, true}) {
    for (int at = 1; at <= calls + 1; ++at) {
      INFO("call " << at << " of " << calls << (drop_entries ? ", entries dropped" : ", entries kept"));
      const ScratchFolder folder;
      FaultFilesystem fs(Fault::cut, at);
      int acknowledged = 0;
      try {
        work(fs, folder.path(), [&](int number) { acknowledged = number; });
      } catch (const Error&) {
        // the cut
      }
      CHECK((acknowledged == kCommits) == (at >= calls));  // the last call removes the lease
      fs.power_cut(drop_entries);
      check_store(folder.path(), acknowledged);
      check_goes_on(folder.path(), acknowledged);
    }
  }
}

TEST_CASE("the power cut test notices every sync that is left out") {
  const auto survives = [](FaultFilesystem& fs, bool drop_entries) {
    const ScratchFolder folder;
    work(fs, folder.path(), [](int) {});
    fs.power_cut(drop_entries);
    try {
      ObjectStore store = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::memory);
      const auto entries = RefLog(posix_filesystem(), folder / "refs", kRepository).entries(kRef);
      return entries.size() == kCommits && store.verify_all().empty();
    } catch (const Error&) {
      return false;
    }
  };
  FaultFilesystem honest;
  CHECK(survives(honest, true));
  CHECK(honest.file_syncs() == 2 * kCommits);  // a pack and a ref entry each
  for (int n = 1; n <= honest.file_syncs(); ++n) {
    FaultFilesystem lying;
    lying.skip_file_sync(n);
    CHECK_FALSE(survives(lying, false));
  }
  FaultFilesystem lying;
  lying.skip_directory_syncs();
  CHECK_FALSE(survives(lying, true));
}

TEST_CASE("a failing or full disk gives an error, leaves the store whole, and a retry works") {
  const int calls = count_calls();
  for (const Fault fault : {Fault::error, Fault::disk_full}) {
    for (int at = 1; at <= calls; ++at) {
      INFO("call " << at << " of " << calls);
      const ScratchFolder folder;
      FaultFilesystem fs(fault, at);
      int acknowledged = 0;
      std::optional<ErrorCode> code;
      try {
        work(fs, folder.path(), [&](int number) { acknowledged = number; });
      } catch (const Error& error) {
        code = error.code();
      }
      if (code) CHECK(*code == ErrorCode::io);
      if (!code) CHECK(acknowledged == kCommits);  // a temporary that could not be removed is no failure
      check_store(folder.path(), acknowledged);
      check_goes_on(folder.path(), acknowledged);
    }
  }
}

}  // namespace dstore::test
