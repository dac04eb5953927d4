#include <algorithm>
#include <mutex>
#include <numeric>
#include <tuple>

#include "base/parallel.h"
#include "dstore/error.h"
#include "odb/store_state.h"

namespace dstore {
namespace {

struct PackCheck {
  ObjectId name;
  std::unique_ptr<File> file;
  std::vector<PackEntry> entries;
};

/// Opens one pack and reads its trailer; where that is damaged, says so and falls back to a scan.
PackCheck open_for_check(Filesystem& fs, const std::string& path, const ObjectId& name, std::vector<StoreProblem>& problems) {
  PackCheck check{name, nullptr, {}};
  try {
    check.file = fs.open(path, OpenMode::read_store);
    check.entries = read_trailer(*check.file, name);
  } catch (const Error& error) {
    problems.push_back({name, 0, std::nullopt, ObjectId(), error.what()});
    if (check.file && error.code() == ErrorCode::corrupt) check.entries = scan_records(*check.file);
  }
  return check;
}

}  // namespace

std::vector<StoreProblem> ObjectStore::verify_all(const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                                                  unsigned threads) const {
  std::vector<StoreProblem> problems;
  const std::vector<ObjectId> names = packs();
  std::vector<std::uint64_t> sizes;
  for (const ObjectId& name : names) {
    const auto info = state_->fs.stat(state_->pack_path(name), false);
    sizes.push_back(info ? info->size : 0);
  }
  const std::uint64_t total = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  std::uint64_t before = 0;  // bytes of the packs checked so far
  std::mutex mutex;
  for (std::size_t p = 0; p < names.size(); ++p) {
    const ObjectId& name = names[p];
    std::uint64_t done = before;
    // A trailer's rows are contiguous, and each record's header must equal its row: so trailer and scan agree.
    const PackCheck check = open_for_check(state_->fs, state_->pack_path(name), name, problems);
    parallel_for(check.entries.size(), threads, [&](std::size_t i) {
      const PackEntry& entry = check.entries[i];
      std::optional<StoreProblem> problem;
      try {
        read_object(*check.file, entry);
      } catch (const Error& error) {
        problem = StoreProblem{name, entry.offset, entry.kind, entry.id, error.what()};
      }
      const std::lock_guard lock(mutex);
      if (problem) problems.push_back(std::move(*problem));
      done += entry.stored_size;
      if (progress) progress(std::min(done, total), total);
    });
    before += sizes[p];
    if (progress) progress(before, total);
  }
  std::stable_sort(problems.begin(), problems.end(),
                   [](const StoreProblem& a, const StoreProblem& b) { return std::tie(a.pack, a.offset) < std::tie(b.pack, b.offset); });
  return problems;
}

}  // namespace dstore
