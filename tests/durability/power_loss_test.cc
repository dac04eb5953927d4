#include <cstdlib>

#include "catch.h"
#include "recording.h"

namespace dstore::test {
namespace {

std::size_t images_wanted() {
  const char* given = std::getenv("DSTORE_POWER_LOSS_IMAGES");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 2'400;
}

constexpr Disk::Loss kCertain[] = {Disk::Loss::everything, Disk::Loss::nothing, Disk::Loss::data, Disk::Loss::entries};

bool is_sync(const DiskCall& call) {
  const bool cached = call.path.find("/index.db") != std::string::npos;  // a cache: damage in it is healed
  return !cached && (call.kind == DiskCall::Kind::sync_file || call.kind == DiskCall::Kind::sync_directory);
}

/// Whether a power cut at some moment, the last one first, breaks what holds for the operation.
bool is_noticed(const Operation& operation, const Recording& recording) {
  std::mt19937 random(1);
  for (auto moment = recording.moments.rbegin(); moment != recording.moments.rend(); ++moment) {
    for (const Disk::Loss loss : {Disk::Loss::everything, Disk::Loss::data, Disk::Loss::entries, Disk::Loss::some, Disk::Loss::some}) {
      MemoryFilesystem after(moment->disk.after_power_cut(loss, random));
      if (!violations(after, operation, recording.acknowledged_by(*moment)).empty()) return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("a power cut at any moment loses nothing that was acknowledged, whatever was not synced", "[power]") {
  std::vector<Recording> recordings;
  std::size_t moments = 0;
  for (const Operation& operation : operations()) {
    recordings.push_back(record(operation));
    moments += recordings.back().moments.size();
  }
  const std::size_t each = (images_wanted() + moments - 1) / moments;
  std::size_t images = 0, bad = 0;
  for (std::size_t o = 0; o < operations().size(); ++o) {
    const Operation& operation = operations()[o];
    const Recording& recording = recordings[o];
    for (std::size_t m = 0; m < recording.moments.size(); ++m) {
      const Recording::Moment& moment = recording.moments[m];
      for (std::size_t i = 0; i < each; ++i) {
        std::mt19937 random(static_cast<unsigned>(o * 1'000'003 + m * 1'009 + i));
        // Every moment gets some of the certain outcomes, the more images the more chance.
        const std::size_t kind = each < 8 ? m + i : i;
        const Disk::Loss loss = kind % 8 < 4 && i < 8 ? kCertain[kind % 8] : Disk::Loss::some;
        MemoryFilesystem after(moment.disk.after_power_cut(loss, random));
        ++images;
        const std::vector<std::string> problems = violations(after, operation, recording.acknowledged_by(moment));
        if (problems.empty()) continue;
        if (++bad > 20) continue;
        UNSCOPED_INFO(operation.name << ", moment " << m << " of " << recording.moments.size() << ", image " << i);
        for (const std::string& problem : problems) UNSCOPED_INFO(problem);
        CHECK(problems.empty());
      }
    }
  }
  CHECK(bad == 0);
  CHECK(images >= images_wanted());
  WARN(images << " images of " << moments << " moments in " << operations().size() << " operations, " << bad << " violations");
}

TEST_CASE("each single sync that is left out is noticed", "[sync]") {
  for (const Operation& operation : operations()) {
    if (!operation.needs_every_sync) continue;
    std::vector<std::string> syncs;
    for (const Recording::Moment& moment : record(operation).moments) {
      if (is_sync(moment.call)) syncs.push_back(moment.call.path);
    }
    for (std::size_t n = 0; n < syncs.size(); ++n) {
      std::size_t seen = 0;
      const Recording lying = record(operation, [&](const DiskCall& call) { return is_sync(call) && seen++ == n; });
      INFO(operation.name << ", sync " << n + 1 << " of " << syncs.size() << ": " << syncs[n]);
      CHECK(is_noticed(operation, lying));
    }
  }
}

}  // namespace dstore::test
