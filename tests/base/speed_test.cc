#include "base/speed.h"

#include "base/passing_filesystem.h"
#include "base/room.h"
#include "base/scratch.h"
#include "catch.h"

namespace dstore::test {
namespace {

class FullDisk : public PassingFilesystem {
 public:
  std::unique_ptr<File> open(const std::string& path, OpenMode, std::uint32_t) override { throw NoSpace(path + ": full"); }
};

}  // namespace

TEST_CASE("a duration is said in the unit that fits, rounded up") {
  struct Row {
    std::uint64_t bytes;
    double speed;
    const char* text;
  };
  for (const Row& row : {Row{0, 100, "about 1 s"}, Row{100, 100, "about 1 s"}, Row{101, 100, "about 2 s"}, Row{8'900, 100, "about 89 s"},
                         Row{9'000, 100, "about 2 min"}, Row{719'000, 100, "about 120 min"}, Row{720'000, 100, "about 2 h"}, Row{1, 0, ""}}) {
    CHECK(duration_text(row.bytes, row.speed) == row.text);
  }
}

TEST_CASE("a measurement leaves nothing behind, and a disk that takes nothing has no speed") {
  const Scratch folder;
  CHECK(measured_speed(posix_filesystem(), folder.path()) > 0);
  CHECK(posix_filesystem().list(folder.path()).empty());
  FullDisk full;
  CHECK(measured_speed(full, folder.path()) == 0);
}

TEST_CASE("large work is announced in one line, small work is not") {
  const Scratch folder;
  std::vector<std::string> lines;
  const Notice notice = [&](const std::string& line) { lines.push_back(line); };
  announce_reading(999'999'999, "the check", notice);
  require_room(posix_filesystem(), folder.path(), 1000, "the import", notice);
  CHECK(lines.empty());
  announce_reading(7'000'000'000, "the check", notice);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("the check reads 7.00 GB, about ") == 0);
  if (!has_room(posix_filesystem(), folder.path(), 1'000'000'000)) return;
  require_room(posix_filesystem(), folder.path(), 1'000'000'000, "the import", notice);
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].find("the import writes up to 1.00 GB, ") == 0);
  CHECK(lines[1].find(" free, about ") != std::string::npos);
}

}  // namespace dstore::test
