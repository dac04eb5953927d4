#include "base/speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/parallel.h"
#include "base/sha256.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::size_t kSample = 32 << 20;

using Clock = std::chrono::steady_clock;

double speed_since(Clock::time_point start, std::size_t bytes) {
  return static_cast<double>(bytes) / std::max(1e-6, std::chrono::duration<double>(Clock::now() - start).count());
}

struct Unit {
  double from;     ///< seconds
  double seconds;  ///< of one
  const char* name;
};
constexpr Unit kUnits[] = {{2 * 3600, 3600, "h"}, {90, 60, "min"}, {0, 1, "s"}};

}  // namespace

double measured_hash_speed() {
  const Bytes sample(kSample / 4);
  const unsigned threads = available_threads();
  const auto start = Clock::now();
  parallel_for(threads, threads, [&](std::size_t) { sha256(sample); });
  return speed_since(start, threads * sample.size());
}

double measured_speed(Filesystem& fs, const std::string& folder) {
  const std::string path = join_path(folder, ".dstore-tmp-" + random_name());
  double written = 0;
  try {
    const Bytes sample(kSample, std::byte{0xa5});
    const auto file = fs.open(path, OpenMode::create_new);
    const auto start = Clock::now();
    file->write_at(0, sample);
    file->sync();
    written = speed_since(start, sample.size());
  } catch (const Error&) {
    written = 0;  // whoever writes in earnest says why
  }
  if (exists(fs, path)) fs.remove(path);
  return std::min(written, measured_hash_speed());
}

std::string duration_text(std::uint64_t bytes, double bytes_per_second) {
  if (bytes_per_second <= 0) return "";
  const double seconds = static_cast<double>(bytes) / bytes_per_second;
  const Unit* unit = kUnits;
  while (seconds < unit->from) ++unit;
  return "about " + std::to_string(static_cast<std::uint64_t>(std::max(1.0, std::ceil(seconds / unit->seconds)))) + " " + unit->name;
}

}  // namespace dstore
