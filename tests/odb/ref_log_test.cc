#include "odb/ref_log.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "test_store.h"

namespace dstore::test {
namespace {

const ObjectId kRepository = fake_id("repository");
const RefName kBase = RefName::parse("base");
constexpr const char* kSignature =
    "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgx+/=\nAAAA\n-----END SSH SIGNATURE-----\n";

RefEntry entry_after(const std::optional<RefEntry>& head, std::string_view commit, const RefName& ref = kBase) {
  return next_entry(head, kRepository, ref, RefKind::branch, commit.empty() ? ObjectId() : fake_id(commit), 1'700'000'000);
}

/// A chain of `count` entries.
void grow(RefLog& log, int count, const RefName& ref = kBase) {
  for (int i = 0; i < count; ++i) {
    RefEntry entry = entry_after(log.head(ref), std::to_string(i), ref);
    if (i % 2 == 0) entry.signature = kSignature;
    REQUIRE(log.append(entry));
  }
}

}  // namespace

TEST_CASE("a ref's history comes back as it was written") {
  const ScratchFolder folder;
  RefLog log(posix_filesystem(), folder / "refs", kRepository);
  CHECK(log.list().empty());
  CHECK_FALSE(log.head(kBase).has_value());
  grow(log, 5);
  const auto entries = log.entries(kBase);
  REQUIRE(entries.size() == 5);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CHECK(entries[i].sequence == i + 1);
    CHECK(entries[i].new_commit == fake_id(std::to_string(i)));
    CHECK(entries[i].signature == (i % 2 == 0 ? kSignature : ""));
  }
  CHECK(*log.head(kBase) == entries.back());
  CHECK(posix_filesystem().list(folder / "refs/base").size() == 5);
}

TEST_CASE("an entry's bytes are those of spec/refs.md") {
  RefEntry entry = entry_after(std::nullopt, "c", RefName::parse("Task/a"));
  CHECK(entry.serialize() == "{\"kind\":\"branch\",\"new\":\"" + fake_id("c").hex() + "\",\"old\":\"\",\"previous\":\"\",\"ref\":\"Task/a\",\"repository\":\"" +
                                 kRepository.hex() + "\",\"sequence\":1,\"time\":1700000000,\"v\":1}\n");
  entry.signature = kSignature;
  CHECK(RefEntry::parse(entry.serialize(), "x") == entry);

  // The example of spec/refs.md.
  const RefName task = RefName::parse("Task/a");
  CHECK(task.encode() == "%54ask%2fa");
  const RefEntry first = next_entry(std::nullopt, kRepository, task, RefKind::branch, fake_id("first"), 1'700'000'000);
  CHECK(first.digest().hex() == "1eb2c6643d10f366aca6ae5086acaea43d195f6a6b458bd9ec261c96b76b3856");
  const RefEntry second = next_entry(first, kRepository, task, RefKind::branch, fake_id("second"), 1'700'000'060);
  CHECK(second.digest().hex() == "9193f89843f6637f8dee126d56e9d6b9dcaf55509a7dfc570960cb9a692f59d2");
}

TEST_CASE("refs with awkward names live side by side, and deletions are entries") {
  const ScratchFolder folder;
  RefLog log(posix_filesystem(), folder / "refs");
  const std::vector<std::string> names = {"A", "a", "a/b", "a/b/c", "b"};
  for (const std::string& name : names) grow(log, 2, RefName::parse(name));
  std::vector<std::string> listed;
  for (const RefName& ref : log.list()) listed.push_back(ref.text());
  CHECK(listed == names);
  REQUIRE(log.append(entry_after(log.head(RefName::parse("a/b")), "", RefName::parse("a/b"))));
  CHECK(log.head(RefName::parse("a/b"))->is_deletion());
  CHECK(log.heads().size() == 4);
  CHECK(log.list().size() == 5);
  RefEntry tag = entry_after(log.head(RefName::parse("a/b")), "again", RefName::parse("a/b"));
  tag.kind = RefKind::tag;
  CHECK(log.append(tag));
  RefEntry branch = entry_after(log.head(RefName::parse("a/b")), "no", RefName::parse("a/b"));
  CHECK(error_of([&] { log.append(branch); }) == ErrorCode::invalid_argument);
}

TEST_CASE("of two entries with one number the first stays, and repeating it is no loss") {
  const ScratchFolder folder;
  RefLog log(posix_filesystem(), folder / "refs");
  grow(log, 1);
  const auto head = log.head(kBase);
  const RefEntry mine = entry_after(head, "mine");
  const RefEntry theirs = entry_after(head, "theirs");
  CHECK(log.append(theirs));
  CHECK_FALSE(log.append(mine));
  CHECK(log.append(theirs));
  CHECK(*log.head(kBase) == theirs);
}

TEST_CASE("an entry that does not follow the head is refused") {
  const ScratchFolder folder;
  RefLog log(posix_filesystem(), folder / "refs", kRepository);
  grow(log, 2);
  const RefEntry good = entry_after(log.head(kBase), "x");
  const auto refused = [&](const std::function<void(RefEntry&)>& change) {
    RefEntry bad = good;
    change(bad);
    CHECK(error_of([&] { log.append(bad); }) == ErrorCode::invalid_argument);
  };
  refused([](RefEntry& e) { e.sequence = 4; });
  refused([](RefEntry& e) { e.sequence = 0; });
  refused([](RefEntry& e) { e.previous = fake_id("other"); });
  refused([](RefEntry& e) { e.previous = ObjectId(); });
  refused([](RefEntry& e) { e.old_commit = fake_id("other"); });
  refused([](RefEntry& e) { e.repository = fake_id("other"); });
  refused([](RefEntry& e) { e.repository = ObjectId(); });
  refused([](RefEntry& e) { e.time = -1; });
  refused([](RefEntry& e) { e.old_commit = e.new_commit = ObjectId(); });
  for (const char* text : {"x", "-----BEGIN SSH SIGNATURE-----\n", "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
                           "-----BEGIN SSH SIGNATURE-----\na b\n-----END SSH SIGNATURE-----\n",
                           "-----BEGIN SSH SIGNATURE-----\nab\n\n-----END SSH SIGNATURE-----\n",
                           "-----BEGIN SSH SIGNATURE-----\nab\n-----END SSH SIGNATURE-----\nmore"}) {
    refused([&](RefEntry& e) { e.signature = text; });
  }
  CHECK(log.append(good));
}

TEST_CASE("a file cut at any byte, or with any byte flipped, is refused or says the same") {
  const ScratchFolder folder;
  RefLog log(posix_filesystem(), folder / "refs", kRepository);
  grow(log, 3);
  for (const char* name : {"refs/base/0000000002", "refs/base/0000000003"}) {
    const std::string path = folder / name;
    const Bytes whole = read_file(posix_filesystem(), path);
    const auto expected = log.entries(kBase);
    const std::size_t payload = as_text(whole).find('\n');
    for (std::size_t size = 0; size < whole.size(); ++size) {
      put_file(path, ByteSpan(whole).first(size));
      // An entry that ends right after the payload's line is an unsigned one: whether that is enough is the policy's question.
      if (size == payload + 1) continue;
      CHECK(error_of([&] { log.entries(kBase); }) == ErrorCode::corrupt);
      CHECK(error_of([&] { log.head(kBase); }) == ErrorCode::corrupt);
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const unsigned mask : {0x01u, 0x20u, 0x80u}) {
        Bytes damaged = whole;
        damaged[at] ^= static_cast<std::byte>(mask);
        put_file(path, damaged);
        try {
          const auto entries = log.entries(kBase);
          REQUIRE(entries.size() == 3);
          const bool last = std::string_view(name).ends_with("3");
          const RefEntry& changed = entries[last ? 2 : 1];
          // Nobody names the last entry yet, so only its signature protects its own values; links must hold all the same.
          if (!last) CHECK(changed.payload() == expected[1].payload());
          CHECK(changed.previous == expected[last ? 2 : 1].previous);
          CHECK(changed.old_commit == expected[last ? 2 : 1].old_commit);
          CHECK(entries[0] == expected[0]);
        } catch (const Error& error) {
          CHECK((error.code() == ErrorCode::corrupt || error.code() == ErrorCode::unsupported));
        }
      }
    }
    put_file(path, whole);
  }
}

TEST_CASE("a missing, misplaced, foreign or linked entry is refused, and leftovers are ignored") {
  const ScratchFolder folder;
  RefLog log(posix_filesystem(), folder / "refs", kRepository);
  grow(log, 3);
  grow(log, 3, RefName::parse("other"));
  put_file(folder / "refs/base/.tmp-0123", text_bytes("half"));
  put_file(folder / "refs/base/notes", text_bytes("x"));
  put_file(folder / "refs/stray", text_bytes("x"));
  std::filesystem::create_directory(folder / "refs/empty");
  std::filesystem::create_directory(folder / "refs/NotEncoded");
  CHECK(log.list().size() == 2);
  CHECK(log.entries(kBase).size() == 3);

  CHECK(error_of([&] { RefLog(posix_filesystem(), folder / "refs", fake_id("elsewhere")).head(kBase); }) == ErrorCode::corrupt);
  const Bytes second = read_file(posix_filesystem(), folder / "refs/base/0000000002");
  posix_filesystem().remove(folder / "refs/base/0000000002");
  CHECK(error_of([&] { log.head(kBase); }) == ErrorCode::corrupt);
  put_file(folder / "refs/base/0000000002", read_file(posix_filesystem(), folder / "refs/other/0000000002"));
  CHECK(error_of([&] { log.head(kBase); }) == ErrorCode::corrupt);
  put_file(folder / "refs/base/0000000002", read_file(posix_filesystem(), folder / "refs/base/0000000001"));
  CHECK(error_of([&] { log.head(kBase); }) == ErrorCode::corrupt);
  put_file(folder / "outside", second);
  posix_filesystem().remove(folder / "refs/base/0000000002");
  std::filesystem::create_symlink(folder / "outside", folder / "refs/base/0000000002");
  CHECK(error_of([&] { log.entries(kBase); }).has_value());
  put_file(folder / "refs/base/0000000002", second);
  CHECK(log.entries(kBase).size() == 3);
  put_file(folder / "refs/base/0000000005", second);
  CHECK(error_of([&] { log.head(kBase); }) == ErrorCode::corrupt);
}

TEST_CASE("payloads that are not exactly canonical, or of another version, are refused") {
  const RefEntry good = entry_after(std::nullopt, "c");
  const std::string text = good.serialize();
  CHECK(RefEntry::parse(text, "x") == good);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return error_of([&] { RefEntry::parse(changed, "x"); });
  };
  CHECK(with("\"v\":1", "\"v\":2") == ErrorCode::unsupported);
  CHECK(with("\"v\":1", "\"v\":1,\"w\":1") == ErrorCode::corrupt);
  CHECK(with("\"v\":1", "\"v\":\"1\"") == ErrorCode::corrupt);
  CHECK(with("\"kind\":\"branch\",", "") == ErrorCode::corrupt);
  CHECK(with("branch", "note") == ErrorCode::corrupt);
  CHECK(with("\"ref\":\"base\"", "\"ref\":\"../base\"") == ErrorCode::corrupt);
  CHECK(with("\"sequence\":1", "\"sequence\":0") == ErrorCode::corrupt);
  CHECK(with("\"sequence\":1", "\"sequence\":2") == ErrorCode::corrupt);
  CHECK(with("\"time\":17", "\"time\":-17") == ErrorCode::corrupt);
  CHECK(with("\"time\":17", "\"time\": 17") == ErrorCode::corrupt);
  CHECK(with(fake_id("c").hex(), std::string(64, '0')) == ErrorCode::corrupt);
  CHECK(with(fake_id("c").hex(), std::string(63, '1')) == ErrorCode::corrupt);
  CHECK(with(fake_id("c").hex(), std::string(64, 'A')) == ErrorCode::corrupt);
  CHECK(with("\"old\":\"\"", "\"old\":\"" + fake_id("o").hex() + "\"") == ErrorCode::corrupt);
  CHECK(with("}\n", "}") == ErrorCode::corrupt);
  CHECK(with("}\n", "}\n\n") == ErrorCode::corrupt);
}

TEST_CASE("threads racing for a ref make one chain, each number won once") {
  const ScratchFolder folder;
  constexpr int kThreads = 4, kEach = 12;
  std::atomic<int> won{0}, errors{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      RefLog log(posix_filesystem(), folder / "refs", kRepository);
      for (int done = 0; done < kEach;) {
        try {
          if (log.append(entry_after(log.head(kBase), std::to_string(t * 1000 + done)))) {
            ++done;
            ++won;
          }
        } catch (const Error&) {
          ++errors;
          return;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(errors == 0);
  CHECK(won == kThreads * kEach);
  CHECK(RefLog(posix_filesystem(), folder / "refs").entries(kBase).size() == kThreads * kEach);
}

TEST_CASE("processes racing for a ref make one chain") {
  const ScratchFolder folder;
  constexpr int kProcesses = 4, kEach = 12;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t child = fork();
    if (child == 0) {
      int done = 0;
      try {
        RefLog log(posix_filesystem(), folder / "refs", kRepository);
        while (done < kEach) done += log.append(entry_after(log.head(kBase), std::to_string(p * 1000 + done))) ? 1 : 0;
      } catch (...) {
        _exit(1);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  const auto entries = RefLog(posix_filesystem(), folder / "refs").entries(kBase);
  CHECK(entries.size() == kProcesses * kEach);
  for (const std::string& name : posix_filesystem().list(folder / "refs/base")) CHECK(name.front() == '0');
}

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
  const ScratchFolder folder;
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
  const ScratchFolder folder;
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
  const ScratchFolder folder;
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
  const ScratchFolder folder;
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
