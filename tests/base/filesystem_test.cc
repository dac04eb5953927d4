#include "base/filesystem.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/scratch.h"
#include "catch.h"

namespace dstore::test {
namespace {

TEST_CASE("paths that stay in their folder are safe") {
  for (const char* path : {"a", "a/b", "a.b/c-d", ".hidden", ".gitattributes", ".github/x", "..a", "a..", "...", ".dstoreignore", "\xc3\xa9", "a b", "-x", "dstore", "x.git"}) {
    INFO(path);
    CHECK(is_safe_relative_path(path));
  }
  CHECK(is_safe_relative_path(std::string(255, 'a') + "/" + std::string(255, 'b')));
}

TEST_CASE("paths that leave it, or that git or dstore would obey, are not") {
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\\b", "a\nb", "\x7f", "\x1b", "\xff", ".git", ".git/hooks/x", "a/.git",
                           ".GIT/config", "a/.Git/x", ".dstore", ".dstore/config", ".DSTORE/x", ".dstore-checkout", "a/.dstore-tmp-1", ".Dstore-intent"}) {
    INFO(path);
    CHECK_FALSE(is_safe_relative_path(path));
  }
  CHECK_FALSE(is_safe_relative_path(std::string_view("a\0b", 3)));
  CHECK_FALSE(is_safe_relative_path(std::string(256, 'a')));
  CHECK_FALSE(is_safe_relative_path(std::string(4097, 'a')));
  std::string many = "a";
  while (many.size() <= 4096) many += "/a";
  CHECK_FALSE(is_safe_relative_path(many));
}

TEST_CASE("paths are joined and taken apart") {
  CHECK(join_path("a", "b") == "a/b");
  CHECK(join_path("a/", "b") == "a/b");
  CHECK(join_path("", "b") == "b");
  CHECK(parent_path("a/b/") == "a");
  CHECK(parent_path("a") == ".");
  CHECK(parent_path("/a") == "/");
  CHECK(file_name("a/b/") == "b");
}

TEST_CASE("a link in a store's place is not followed") {
  Scratch dir;
  Filesystem& fs = posix_filesystem();
  put(dir / "file", "x");
  std::filesystem::create_symlink(dir / "file", dir / "link");
  std::filesystem::create_symlink(dir / "nowhere", dir / "dangling");
  CHECK(read_text_file(fs, dir / "link") == "x");
  CHECK(error_of([&] { read_text_file(fs, dir / "link", OpenMode::read_store); }).has_value());
  CHECK(error_of([&] { fs.open(dir / "link", OpenMode::write); }).has_value());
  CHECK(error_of([&] { fs.open(dir / "dangling", OpenMode::create_new); }) == ErrorCode::conflict);
  CHECK_FALSE(fs.stat(dir / "dangling", true).has_value());
  CHECK(exists(fs, dir / "dangling"));
  CHECK(error_of([&] { read_text_file(fs, dir / "none"); }) == ErrorCode::not_found);
  CHECK(error_of([&] { read_text_file(fs, dir / "file", OpenMode::read, 0); }) == ErrorCode::invalid_argument);
}

TEST_CASE("locks are on ranges of bytes, exclude other open files and end with theirs") {
  Scratch dir;
  Filesystem& fs = posix_filesystem();
  put(dir / "file", "");
  const auto a = fs.open(dir / "file", OpenMode::write);
  auto b = fs.open(dir / "file", OpenMode::write);
  const ByteRange low{0, 10}, high{10, 10}, far{std::uint64_t(1) << 40, 1};
  CHECK_FALSE(b->locked_elsewhere());
  CHECK(a->try_lock(LockMode::exclusive, low));
  CHECK(a->try_lock(LockMode::exclusive, low));
  CHECK_FALSE(b->try_lock(LockMode::exclusive, low));
  CHECK_FALSE(b->try_lock(LockMode::shared, {9, 1}));
  CHECK_FALSE(b->try_lock(LockMode::exclusive));
  CHECK(b->try_lock(LockMode::exclusive, high));
  CHECK(b->try_lock(LockMode::exclusive, far));
  CHECK(a->locked_elsewhere());
  CHECK(a->locked_elsewhere(far));
  CHECK_FALSE(a->locked_elsewhere(low));
  CHECK(b->locked_elsewhere({0, 1}));

  CHECK(a->try_lock(LockMode::shared, low));  // a new mode for the same bytes
  CHECK(b->try_lock(LockMode::shared, low));
  CHECK_FALSE(a->try_lock(LockMode::exclusive, low));
  b->unlock(low);
  CHECK(a->try_lock(LockMode::exclusive, low));
  CHECK_FALSE(a->try_lock(LockMode::exclusive, far));
  b.reset();
  CHECK(a->try_lock(LockMode::exclusive));
}

TEST_CASE("a lock ends with its process, not when another descriptor of it is closed") {
  Scratch dir;
  Filesystem& fs = posix_filesystem();
  put(dir / "file", "");
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = fs.open(dir / "file", OpenMode::write);
    if (!held->try_lock(LockMode::exclusive)) _exit(1);
    fs.open(dir / "file", OpenMode::write).reset();
    if (write(ready[1], "x", 1) != 1) _exit(2);
    pause();
  }
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  const auto file = fs.open(dir / "file", OpenMode::write);
  CHECK_FALSE(file->try_lock(LockMode::shared));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK(file->try_lock(LockMode::exclusive));
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("a tree is removed without following links") {
  Scratch dir;
  put(dir / "kept/file", "x");
  put(dir / "tree/a/b", "y");
  std::filesystem::create_directory_symlink(dir / "kept", dir / "tree/link");
  remove_tree(posix_filesystem(), dir / "tree");
  CHECK_FALSE(std::filesystem::exists(dir / "tree"));
  CHECK(slurp(dir / "kept/file") == "x");
  remove_tree(posix_filesystem(), dir / "tree");
}

TEST_CASE("link() makes a name once") {
  Scratch dir;
  Filesystem& fs = posix_filesystem();
  put(dir / "a", "a");
  put(dir / "b", "b");
  CHECK(fs.link(dir / "a", dir / "name"));
  CHECK_FALSE(fs.link(dir / "b", dir / "name"));
  CHECK(slurp(dir / "name") == "a");
  CHECK(fs.make_directory(dir / "d"));
  CHECK_FALSE(fs.make_directory(dir / "d"));
  CHECK(error_of([&] { make_directories(fs, dir / "a/x"); }).has_value());
}

}  // namespace
}  // namespace dstore::test
