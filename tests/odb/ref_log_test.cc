#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "ref_chains.h"

namespace dstore::test {

TEST_CASE("a ref's history comes back as it was written") {
  const Scratch folder;
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
  const Scratch folder;
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
  const Scratch folder;
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
  const Scratch folder;
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
  const Scratch folder;
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
  const Scratch folder;
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
  const Scratch folder;
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
  const Scratch folder;
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

}  // namespace dstore::test
