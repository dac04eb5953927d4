#include "repo/undo_file.h"

#include "base/random_bytes.h"
#include "base/scratch.h"
#include "catch.h"
#include "dstore/error.h"
#include "durability/call_filesystem.h"

namespace dstore::test {
namespace {

struct Sample {
  Scratch dir;
  Filesystem& fs = posix_filesystem();
  Bytes before = random_bytes(100'000, 1);
  Bytes after = before;
  std::string path = dir / "undo";
  UndoHead head{"the record", ObjectId(sha256(as_bytes("commit"))).hex(), {{"a", "b"}, {"gone", ""}}};

  Sample() {
    for (const std::size_t at : {0u, 1u, 2u, 7u, 4095u, 4096u, 50'000u, 99'999u}) after[at] ^= std::byte{9};
    UndoWriter writer(fs, path, head);
    CHECK(writer.patch("a", 5000, before, after) >= 8);
    CHECK(writer.patch("a", 200'000, before, before) == 0);
    writer.bytes("gone", 0, as_bytes("head"));
    writer.copy("gone", 4, 100'000, "new", 77);
    writer.patch("gone", 4, before, after);
    writer.finish();
  }
};

TEST_CASE("an undo file gives back what was overwritten") {
  Sample s;
  const UndoFile undo(s.fs, s.path);
  CHECK(undo.head().record == "the record");
  CHECK(undo.head().files == s.head.files);
  const UndoneFile& patched = undo.files().at("a");
  REQUIRE(patched.patches.size() == 1);
  Bytes range = s.after;
  patched.patches.front().restore(range, true, "x");
  CHECK(range == s.before);
  patched.patches.front().restore(range, false, "x");  // again: nothing changes
  CHECK(range == s.before);
  CHECK_THROWS_AS(patched.patches.front().restore(range, true, "x"), Error);
  const UndoneFile& gone = undo.files().at("gone");
  REQUIRE(gone.parts.size() == 2);
  CHECK(as_text(gone.parts[0].bytes) == "head");
  CHECK(gone.parts[1].from == "new");
  CHECK(gone.parts[1].from_offset == 77);
}

TEST_CASE("an undo file that was not finished leaves nothing behind") {
  Scratch dir;
  { UndoWriter writer(posix_filesystem(), dir / "undo", UndoHead{}); }
  CHECK_FALSE(exists(posix_filesystem(), dir / "undo"));
}

TEST_CASE("every flipped byte and every cut of an undo file is noticed") {
  Sample s;
  const std::string good = slurp(s.path);
  for (std::size_t at = 0; at < good.size(); at += 3) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    put(s.path, bad);
    CHECK_THROWS_AS(UndoFile(s.fs, s.path), Error);
    put(s.path, good.substr(0, at));
    CHECK_THROWS_AS(UndoFile(s.fs, s.path), Error);
  }
}

TEST_CASE("fields of an undo file that lie are refused although the digest is right") {
  Sample s;
  const std::string good = slurp(s.path).substr(0, slurp(s.path).size() - ObjectId::kSize);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x81);
    bad += std::string(as_text(sha256(as_bytes(bad)).bytes()));
    put(s.path, bad);
    try {
      const UndoFile undo(s.fs, s.path);
      for (const auto& [path, file] : undo.files()) {
        for (const UndoPatch& patch : file.patches) {
          Bytes range(patch.size);
          patch.restore(range, false, "x");
        }
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 50);
}

TEST_CASE("only pages that differ are written") {
  Scratch dir;
  Bytes before = random_bytes(64 * 4096 + 100, 3);
  put(dir / "file", std::string(as_text(before)));
  const std::uint64_t start = 300;  // the range does not begin with a page
  Bytes range(before.begin() + start, before.end());
  Bytes after = range;
  for (const std::uint64_t at : {300u, 4095u, 4096u * 7, 4096u * 7 + 4000, 4096u * 8, 4096u * 30 + 5, 64u * 4096 + 99}) {
    after[at - start] ^= std::byte{1};
  }
  std::uint64_t calls = 0;
  CallFilesystem counting(posix_filesystem(), [&](const DiskCall& call, const auto& run, const auto&) {
    run();
    calls += call.kind == DiskCall::Kind::write;
  });
  const auto file = counting.open(dir / "file", OpenMode::write, 0644);
  write_changed_pages(*file, start, range, after);
  CHECK(calls == 4);  // page 0; 7 and 8; 30; the last one
  Bytes expected = before;
  std::copy(after.begin(), after.end(), expected.begin() + start);
  CHECK(slurp(dir / "file") == as_text(expected));
}

}  // namespace
}  // namespace dstore::test
