#include "ref_chains.h"

namespace dstore::test {
namespace {

/// Hints in memory, and how often they were asked for and made.
struct MemoryHints : RefHints {
  std::uint64_t find(const RefName&) override {
    ++asked;
    return hint;
  }
  void put(const RefName&, std::uint64_t sequence) override {
    ++made;
    hint = sequence;
  }
  std::uint64_t hint = 0;
  int asked = 0, made = 0;
};

std::string entry_file(std::uint64_t sequence) {
  const std::string digits = std::to_string(sequence);
  return "refs/base/" + std::string(10 - digits.size(), '0') + digits;
}

}  // namespace

TEST_CASE("a hint shortens the search for the head of a long history, and is never believed") {
  const Scratch folder;
  Filesystem& fs = posix_filesystem();
  MemoryHints hints;
  RefLog log(fs, folder / "refs", kRepository, &hints);
  grow(log, 63);
  CHECK(hints.asked == 0);  // short histories are listed
  CHECK(hints.made == 0);
  grow(log, 137);
  CHECK(hints.made > 0);
  CHECK(hints.hint >= 200 - 16);
  const RefEntry last = *RefLog(fs, folder / "refs", kRepository).head(kBase);
  REQUIRE(last.sequence == 200);

  for (const std::uint64_t hint : {0, 1, 63, 64, 100, 137, 150, 199, 200, 201, 205, 1'000'000}) {
    hints.hint = hint;
    CHECK(*log.head(kBase) == last);
  }
  hints.hint = ~std::uint64_t{0};
  CHECK(*log.head(kBase) == last);

  // Damage after the hint is found with it, damage before it by entries().
  const auto without = [&](std::uint64_t sequence, const auto& check) {
    const std::string path = folder / entry_file(sequence);
    const Bytes good = read_file(fs, path);
    fs.remove(path);
    hints.hint = 180;
    check();
    put_file(path, good);
  };
  for (const std::uint64_t sequence : {180, 181, 190, 197, 199}) {
    without(sequence, [&] { CHECK(error_of([&] { log.head(kBase); }) == ErrorCode::corrupt); });
  }
  without(100, [&] {
    CHECK(*log.head(kBase) == last);
    CHECK(error_of([&] { log.entries(kBase); }) == ErrorCode::corrupt);
  });
  put_file(folder / entry_file(200), text_bytes("{}\n"));
  hints.hint = 195;
  CHECK(error_of([&] { log.head(kBase); }) == ErrorCode::corrupt);
}

TEST_CASE("with a hint, a long history grows without being listed") {
  const Scratch folder;
  MemoryHints hints;
  RefLog log(posix_filesystem(), folder / "refs", kRepository, &hints);
  grow(log, 80);
  const int made = hints.made;
  grow(log, 16);
  CHECK(hints.made == made + 1);
  CHECK(hints.hint == 96);
  CHECK(log.entries(kBase).size() == 96);
}

namespace {

/// Heads in memory, and how often they were kept.
struct HeadHints : RefHints {
  std::uint64_t find(const RefName&) override { return 0; }
  void put(const RefName&, std::uint64_t) override {}
  std::vector<KnownHead> heads() override { return known; }
  void put_heads(const std::vector<KnownHead>& heads) override {
    known = heads;
    ++kept;
  }
  std::vector<KnownHead> known;
  int kept = 0;
};

}  // namespace

TEST_CASE("a listing reads only refs that have moved, and shows the files' state whatever is remembered") {
  const Scratch folder;
  HeadHints hints;
  RefLog log(posix_filesystem(), folder / "refs", kRepository, &hints);
  const auto name = [](int i) { return RefName::parse("t/" + std::to_string(i)); };
  for (int i = 0; i < 40; ++i) grow(log, 1 + i % 3, name(i));
  const auto check = [&] {
    RefHeads expected = log.all_heads();
    for (RefEntry& head : expected.heads) head.signature.clear();
    const RefHeads listed = log.listed_heads();
    CHECK(listed.heads == expected.heads);
    CHECK(listed.damaged.size() == expected.damaged.size());
  };
  check();
  CHECK(hints.kept == 1);
  check();
  CHECK(hints.kept == 1);
  grow(log, 1, name(7));  // one has moved: seen, and not worth keeping
  check();
  CHECK(hints.kept == 1);
  REQUIRE(log.append(entry_after(log.head(name(8)), "", name(8))));  // deleted
  grow(log, 1, RefName::parse("forgotten-not"));
  check();
  // The same number with other content: the ref was moved aside and made anew.
  posix_filesystem().rename(folder / "refs/t%2f9", folder / "aside");
  RefEntry other = entry_after(std::nullopt, "other", name(9));
  REQUIRE(log.append(other));
  check();
  // Damage of an entry that is remembered is for head() and fsck to see; a new entry's is seen here.
  put_file(folder / "refs/t%2f7/0000000004", text_bytes("{}"));
  check();
  for (KnownHead& known : hints.known) known.entry.repository = fake_id("another");
  check();
  for (KnownHead& known : hints.known) known.inode ^= 1;
  hints.known.push_back(hints.known.front());
  check();
  CHECK(hints.kept > 1);
}

TEST_CASE("a damaged ref does not hide the others") {
  const Scratch folder;
  RefLog log(posix_filesystem(), folder / "refs", kRepository);
  for (const char* name : {"a", "b", "c", "d"}) grow(log, 2, RefName::parse(name));
  put_file(folder / "refs/b/0000000002", text_bytes("{}"));
  posix_filesystem().remove(folder / "refs/c/0000000001");
  const RefHeads found = log.all_heads();
  REQUIRE(found.heads.size() == 2);
  CHECK(found.heads[0].ref.text() == "a");
  CHECK(found.heads[1].ref.text() == "d");
  REQUIRE(found.damaged.size() == 2);
  CHECK(std::string(found.damaged[0].what()).find("refs/b/") != std::string::npos);
  CHECK(std::string(found.damaged[1].what()).find("ref c") != std::string::npos);
  CHECK(error_of([&] { log.heads(); }) == ErrorCode::corrupt);
}

}  // namespace dstore::test
