#include "base/atomic_file.h"

#include "base/scratch.h"
#include "catch.h"

namespace dstore::test {
namespace {

std::size_t entries(const std::string& folder) { return posix_filesystem().list(folder).size(); }

TEST_CASE("an atomic file appears whole, or not at all") {
  Scratch dir;
  Filesystem& fs = posix_filesystem();
  {
    AtomicFile file(fs, dir / "f");
    file.write(as_bytes("half"));
    CHECK_FALSE(exists(fs, dir / "f"));
  }
  CHECK(entries(dir.path()) == 0);
  AtomicFile file(fs, dir / "f");
  file.write(as_bytes("one "));
  file.write(as_bytes("two"));
  CHECK(file.size() == 7);
  file.commit();
  CHECK(slurp(dir / "f") == "one two");
  CHECK(entries(dir.path()) == 1);
}

TEST_CASE("commit() replaces, commit_new() does not") {
  Scratch dir;
  Filesystem& fs = posix_filesystem();
  put(dir / "f", "old");
  AtomicFile refused(fs, dir / "f");
  refused.write(as_bytes("new"));
  CHECK_FALSE(refused.commit_new());
  CHECK(slurp(dir / "f") == "old");
  write_file_atomically(fs, dir / "f", as_bytes("new"), 0600);
  CHECK(slurp(dir / "f") == "new");
  CHECK(fs.stat(dir / "f", false)->mode == 0600);
  AtomicFile first(fs, dir / "g");
  CHECK(first.commit_new());
  CHECK(entries(dir.path()) == 2);
}

TEST_CASE("an atomic file replaces a link, not what it points to") {
  Scratch dir;
  put(dir / "target", "kept");
  std::filesystem::create_symlink(dir / "target", dir / "f");
  write_file_atomically(posix_filesystem(), dir / "f", as_bytes("new"));
  CHECK(slurp(dir / "target") == "kept");
  CHECK(slurp(dir / "f") == "new");
}

}  // namespace
}  // namespace dstore::test
