#include "base/parallel.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "base/ordered_pipeline.h"
#include "base/scratch.h"
#include "catch.h"

namespace dstore::test {
namespace {

TEST_CASE("every index is run once") {
  const unsigned threads = GENERATE(0u, 1u, 2u, 7u);
  for (const std::size_t count : {0u, 1u, 5u, 1000u}) {
    std::vector<std::atomic<int>> runs(count);
    parallel_for(count, threads, [&](std::size_t i) { ++runs[i]; });
    for (const auto& n : runs) CHECK(n == 1);
  }
}

TEST_CASE("the first exception by index comes out, after all threads have ended") {
  std::atomic<int> running{0};
  for (int round = 0; round < 20; ++round) {
    std::string caught;
    try {
      parallel_for(64, 4, [&](std::size_t i) {
        ++running;
        const auto leave = [&] { --running; };
        if (i >= 3) {
          leave();
          throw Error(ErrorCode::io, std::to_string(i));
        }
        leave();
      });
    } catch (const Error& error) {
      caught = error.what();
    }
    CHECK(caught == "3");
    CHECK(running == 0);
  }
}

TEST_CASE("a failure stops later work") {
  std::atomic<int> started{0};
  CHECK(error_of([&] {
          parallel_for(100000, 2, [&](std::size_t i) {
            ++started;
            if (i == 0) throw Error(ErrorCode::io, "stop");
          });
        }) == ErrorCode::io);
  CHECK(started < 100000);
}

TEST_CASE("a pipeline consumes in order, one at a time, what was produced for each place") {
  const unsigned threads = GENERATE(1u, 2u, 5u);
  for (const std::size_t count : {0u, 1u, 2u, 100u}) {
    std::size_t next = 0;
    std::atomic<int> inside{0};
    ordered_pipeline(
        count, threads, [](std::size_t i, Bytes& out) { out.assign(i % 17, static_cast<std::byte>(i)); },
        [&](std::size_t i, const Bytes& bytes) {
          if (++inside != 1) FAIL("two at a time");
          if (i != next++ || bytes != Bytes(i % 17, static_cast<std::byte>(i))) FAIL("out of order");
          --inside;
        });
    CHECK(next == count);
  }
}

TEST_CASE("a pipeline reuses a few buffers, also where its consumer is slow") {
  const unsigned threads = GENERATE(1u, 3u);
  std::mutex mutex;
  std::set<const Bytes*> buffers;
  std::atomic<std::size_t> produced{0}, consumed{0};
  ordered_pipeline(
      500, threads,
      [&](std::size_t, Bytes& out) {
        if (++produced > consumed + threads + 2) FAIL("ran ahead");
        const std::scoped_lock lock(mutex);
        buffers.insert(&out);
      },
      [&](std::size_t i, const Bytes&) {
        if (i % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        ++consumed;
      });
  CHECK(buffers.size() <= threads + 2);
}

TEST_CASE("of the failures of a pipeline the first by index comes out") {
  for (int round = 0; round < 20; ++round) {
    std::string caught;
    try {
      ordered_pipeline(
          64, 4,
          [](std::size_t i, Bytes&) {
            if (i >= 3) throw Error(ErrorCode::io, std::to_string(i));
          },
          [](std::size_t, const Bytes&) {});
    } catch (const Error& error) {
      caught = error.what();
    }
    CHECK(caught == "3");
  }
}

TEST_CASE("an exception of either side ends a pipeline") {
  std::atomic<std::size_t> produced{0};
  CHECK(error_of([&] {
          ordered_pipeline(10000, 2, [&](std::size_t, Bytes&) { ++produced; },
                           [](std::size_t i, const Bytes&) { if (i == 3) throw Error(ErrorCode::io, "full"); });
        }) == ErrorCode::io);
  CHECK(produced < 100);
  std::size_t consumed = 0;
  CHECK(error_of([&] {
          ordered_pipeline(100, 2, [&](std::size_t i, Bytes&) { if (i == 50) throw Error(ErrorCode::corrupt, "bad"); },
                           [&](std::size_t, const Bytes&) { ++consumed; });
        }) == ErrorCode::corrupt);
  CHECK(consumed <= 50);
}

}  // namespace
}  // namespace dstore::test
