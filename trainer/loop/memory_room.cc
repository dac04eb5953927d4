#include "trainer/loop/memory_room.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

namespace dstore {
namespace {

/// The number after `word` in a file of words and numbers; with an empty word the file's first.
std::optional<double> number_in(const std::string& path, const std::string& word) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string name;
    double value = 0;
    if (!word.empty() && (!(fields >> name) || name != word)) continue;
    if (fields >> value) return value;
    if (word.empty()) break;
  }
  return std::nullopt;
}

/// One version of control groups: the files of a group's folder.
struct GroupFiles {
  const char* mount;
  const char* limit;
  const char* used;
  const char* cache;  ///< in memory.stat: what the kernel takes back when it needs to
};
constexpr GroupFiles kVersion2{"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};
constexpr GroupFiles kVersion1{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

/// What the limits of a group and those above it leave.
double group_room(const std::string& root, const GroupFiles& files, std::string group) {
  double room = std::numeric_limits<double>::infinity();
  for (;;) {
    const std::string folder = root + files.mount + group + "/";
    const auto limit = number_in(folder + files.limit, ""), used = number_in(folder + files.used, "");
    if (limit && used) room = std::min(room, *limit - *used + number_in(folder + "memory.stat", files.cache).value_or(0));
    if (group.empty() || group == "/") return room;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

/// A line of /proc/self/cgroup: "4:memory:/a/b" of version 1, "0::/a/b" of version 2.
double groups_room(const std::string& root) {
  double room = std::numeric_limits<double>::infinity();
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",", group = line.substr(second + 1);
    if (controllers == ",,") room = std::min(room, group_room(root, kVersion2, group));
    if (controllers.find(",memory,") != std::string::npos) room = std::min(room, group_room(root, kVersion1, group));
  }
  return room;
}

double pages_of_self(std::size_t field) {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  for (std::size_t i = 0; i <= field; ++i) file >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

double held_memory() { return pages_of_self(1); }

std::optional<double> memory_room(const std::string& root) {
  double room = groups_room(root);
  if (const auto available = number_in(root + "/proc/meminfo", "MemAvailable:")) room = std::min(room, *available * 1024);
  struct rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    room = std::min(room, static_cast<double>(limit.rlim_cur) - pages_of_self(0));
  }
  if (room == std::numeric_limits<double>::infinity()) return std::nullopt;
  return std::max(0.0, room);
}

}  // namespace dstore
