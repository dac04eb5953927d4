#include <atomic>
#include <mutex>
#include <thread>

#include "dstore/store.h"
#include "repo/reachable.h"
#include "repo/repack.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

constexpr unsigned kThreads = 16;
constexpr unsigned kCommits = 3;

CollectOptions patient() {
  CollectOptions options;
  options.wait_seconds = 1;
  return options;
}

template <typename Work>
struct AtEnd {
  explicit AtEnd(Work w) : work(std::move(w)) {}
  ~AtEnd() { work(); }
  Work work;
};

/// Runs work(t) in so many threads; what they throw is reported after all have ended.
template <typename Work>
void in_threads(unsigned count, const Work& work) {
  std::vector<std::string> failures;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < count; ++t) {
    threads.emplace_back([&, t] {
      try {
        work(t);
      } catch (const std::exception& error) {
        const std::lock_guard lock(mutex);
        failures.emplace_back(error.what());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == std::vector<std::string>());
}

}  // namespace

TEST_CASE("sixteen threads commit, read and collect through the library, and every commit is kept") {
  Sandbox box;
  Repository repository = box.init("ada");
  make_model(box.dir / "base", encoder());
  box.import(repository, box.dir / "base", "base");
  Store store = Store::open(box.dir / "ada");
  for (unsigned t = 0; t < kThreads; ++t) {
    std::vector<TestTensor> tensors = encoder();
    tensors[1].bytes[t] ^= 1;
    make_model(box.dir / ("model" + std::to_string(t)), tensors, "{\"n\": " + std::to_string(t) + "}");
  }
  std::atomic<unsigned> writing{8};
  std::mutex mutex;
  std::set<ObjectId> acknowledged;
  in_threads(kThreads, [&](unsigned t) {
    const std::string name = std::to_string(t);
    if (t < 8) {
      const AtEnd leave([&] { --writing; });
      for (unsigned i = 0; i < kCommits; ++i) {
        const std::string folder = box.dir / ("model" + std::to_string((t + i) % kThreads));
        const ObjectId commit = store.commit_folder(folder, "base", "b" + std::to_string(t % 3), name + "." + std::to_string(i));
        const std::lock_guard lock(mutex);
        acknowledged.insert(commit);
      }
    } else if (t < 14) {
      do {
        store.log();
        store.refs();
        store.checkout("base", box.dir / ("out" + name), true);
      } while (writing > 0);
    } else {
      do {
        Repository own = Repository::open(box.fs, repository.directory(), t == 14 ? IndexMode::database : IndexMode::memory);
        try {
          Reachable reachable(own, {});
          own.store().collect(reachable, patient());
          repack(own, patient());
        } catch (const Error& error) {
          if (error.code() != ErrorCode::conflict) throw;  // the other one is at it
        }
      } while (writing > 0);
    }
  });
  CHECK(acknowledged.size() > 3);
  for (const LogEntry& entry : store.log()) acknowledged.erase(entry.id);
  CHECK(acknowledged.empty());
  CHECK(Repository::open(box.fs, repository.directory(), IndexMode::memory).store().verify_all().empty());
}

TEST_CASE("one open repository is read by sixteen threads while its packs are replaced") {
  Sandbox box;
  Repository repository = box.init("ada");
  make_model(box.dir / "base", encoder());
  box.import(repository, box.dir / "base", "base");
  for (unsigned i = 0; i < 4; ++i) {
    std::vector<TestTensor> tensors = encoder();
    tensors[1].bytes[i] ^= 1;
    make_model(box.dir / "model", tensors);
    box.commit(repository, box.dir / "model", "base", "task" + std::to_string(i));
  }
  for (const IndexMode mode : {IndexMode::memory, IndexMode::database}) {
    const Repository shared = Repository::open(box.fs, repository.directory(), mode);
    std::atomic<bool> stop{false};
    in_threads(kThreads, [&](unsigned t) {
      if (t == 0) {
        const AtEnd leave([&] { stop = true; });
        for (unsigned turn = 0; turn < 6; ++turn) {
          CollectOptions options = patient();
          options.pack_target = turn % 2 == 0 ? 2000 : layout::kPackTarget;
          Repository own = Repository::open(box.fs, repository.directory(), mode);
          repack(own, options);
        }
        return;
      }
      while (!stop) {
        for (unsigned i = 0; i < 4; ++i) {
          const ObjectId commit = resolve_commit(shared, "task" + std::to_string(i));
          shared.check_commit(commit);
          shared.store().for_each(std::nullopt, [&](const ObjectEntry& entry) { shared.store().read(entry.kind, entry.id); });
        }
      }
    });
  }
}

}  // namespace dstore::test
