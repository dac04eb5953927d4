#include <cstdlib>
#include <set>

#include "call_filesystem.h"
#include "catch.h"
#include "dstore/error.h"
#include "memory_filesystem.h"
#include "operations.h"

namespace dstore::test {
namespace {

using Kind = DiskCall::Kind;

struct Fault {
  const char* name;
  bool lasts;   ///< every later call that it concerns fails too
  bool ends;    ///< the process is gone: nothing later is done, and nobody is told
  bool halves;  ///< a write leaves its first half behind
  bool full;    ///< no space: taking away still works
};

constexpr Fault kFaults[] = {
    {"the process ends before the call", true, true, false, false},
    {"the process ends within the call", true, true, true, false},
    {"EIO once", false, false, false, false},
    {"EIO from then on", true, false, false, false},
    {"ENOSPC from then on", true, false, true, true},
    {"a short write", false, false, true, true},
};

bool concerns(const Fault& fault, const DiskCall& call) {
  if (!fault.full) return true;
  if (!fault.lasts) return call.kind == Kind::write;
  return call.kind != Kind::remove && call.kind != Kind::truncate;
}

/// The handler that plays a fault at call `at` (from 1; 0: never), and what it saw.
class Player {
 public:
  Player(MemoryFilesystem& memory, const Fault& fault, std::size_t at) : memory_(memory), fault_(fault), at_(at) {}

  void operator()(const DiskCall& call, const CallFilesystem::Run& run, const CallFilesystem::Run& half) {
    ++calls_;
    if (call.kind == Kind::sync_file && failed_syncs_.contains(call.path)) synced_again_ = call.path;
    const bool now = at_ != 0 && (calls_ == at_ || (fault_.lasts && calls_ > at_));
    if (!now || !concerns(fault_, call)) return run();
    if (calls_ == at_) hit_ = true;
    if (fault_.halves && calls_ == at_) half();
    if (call.kind == Kind::sync_file && !fault_.ends) {
      memory_.forget_pending(call.path);
      failed_syncs_.insert(call.path);
    }
    if (fault_.full) throw NoSpace("injected: " + call.path + ": No space left on device");
    throw Error(ErrorCode::io, "injected: " + call.path + ": Input/output error");
  }

  std::size_t calls() const { return calls_; }
  bool hit() const { return hit_; }
  const std::string& synced_again() const { return synced_again_; }

 private:
  MemoryFilesystem& memory_;
  const Fault& fault_;
  const std::size_t at_;
  std::size_t calls_ = 0;
  bool hit_ = false;
  std::set<std::string> failed_syncs_;
  std::string synced_again_;
};

struct Outcome {
  std::vector<std::string> problems;
  std::size_t calls = 0;
  bool hit = false;
};

Outcome play(const Operation& operation, const Fault& fault, std::size_t at) {
  MemoryFilesystem memory(scene().disk);
  Player player(memory, fault, at);
  CallFilesystem fs(memory, std::ref(player));
  std::vector<Acknowledged> acknowledged;
  Outcome outcome;
  const auto add = [&](const std::string& when, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) outcome.problems.push_back(when + ": " + line);
  };
  bool failed = false;
  try {
    operation.run(fs, [&](const Acknowledged& done) { acknowledged.push_back(done); });
  } catch (const Error& error) {
    failed = true;
    if (!fault.ends && error.code() != ErrorCode::io) add("error", {std::string("of another kind: ") + error.what()});
  }
  outcome.calls = player.calls();
  outcome.hit = player.hit();
  if (at == 0) {
    if (failed) add("undisturbed", {"it failed"});
    return outcome;
  }
  if (!outcome.hit) return outcome;
  if (!player.synced_again().empty()) add("sync", {player.synced_again() + " was synced again after its sync had failed"});
  if (fault.lasts && !fault.ends) add("reading meanwhile", violations(fs, operation, acknowledged, true));
  std::mt19937 random(static_cast<unsigned>(at));
  MemoryFilesystem cut(memory.disk().after_power_cut(at % 2 == 0 ? Disk::Loss::everything : Disk::Loss::some, random));
  add("after a power cut too", violations(cut, operation, acknowledged));
  add("afterwards", violations(memory, operation, acknowledged));
  if (failed && !fault.lasts) {
    try {
      operation.run(memory, [](const Acknowledged&) {});
    } catch (const Error& error) {
      // It was done before it failed: the name is taken, or what was to be moved has gone.
      if (error.code() != ErrorCode::conflict && error.code() != ErrorCode::not_found) add("again", {error.what()});
    }
  }
  return outcome;
}

}  // namespace

TEST_CASE("a fault at any call that changes the disk gives an error, and loses nothing that was acknowledged", "[fault]") {
  std::size_t points = 0, bad = 0;
  for (const Operation& operation : operations()) {
    const Outcome undisturbed = play(operation, kFaults[0], 0);
    CHECK(undisturbed.problems.empty());
    REQUIRE(undisturbed.calls > 0);
    for (const Fault& fault : kFaults) {
      for (std::size_t at = 1; at <= undisturbed.calls; ++at) {
        const Outcome outcome = play(operation, fault, at);
        points += outcome.hit ? 1 : 0;
        if (outcome.problems.empty()) continue;
        if (++bad > 20) continue;
        UNSCOPED_INFO(operation.name << ", " << fault.name << ", call " << at << " of " << undisturbed.calls);
        for (const std::string& problem : outcome.problems) UNSCOPED_INFO(problem);
        CHECK(outcome.problems.empty());
      }
    }
  }
  CHECK(bad == 0);
  CHECK((std::getenv("DSTORE_OPERATIONS") != nullptr || points >= 500));
  WARN(points << " faults in " << operations().size() << " operations, " << bad << " violations");
}

}  // namespace dstore::test
