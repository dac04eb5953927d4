#include "repo/catalog.h"

#include <thread>

#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/history.h"
#include "sandbox.h"
#include "sign/mac.h"
#include "sign/signature_object.h"

namespace dstore::test {
namespace {

/// A base and a task with everything that a row holds.
struct Store {
  explicit Store(Sandbox& s) : sandbox(s), repository(s.init("repo")) {
    make_model(sandbox.dir / "base", encoder());
    auto changed = encoder();
    changed[0].bytes[5] ^= 1;
    changed.push_back(tensor("head", {3, 8}, 7, DType::bf16));
    make_model(sandbox.dir / "task", changed);
    base = sandbox.import(repository, sandbox.dir / "base", "base");
    task = sandbox.commit(repository, sandbox.dir / "task", "base", "task").commit;
  }
  Repository again() const { return Repository::open(sandbox.fs, repository.directory(), IndexMode::database); }

  Sandbox& sandbox;
  Repository repository;
  ObjectId base, task;
};

bool equal(const CommitFacts& a, const CommitFacts& b) { return a.id == b.id && encode_facts(a) == encode_facts(b); }

}  // namespace

TEST_CASE("facts and tensors come back from their rows as they were") {
  Sandbox sandbox;
  const Store store(sandbox);
  CommitSizer sizer(store.repository);
  TensorReader reader(store.repository);
  for (const ObjectId& id : {store.base, store.task}) {
    CommitFacts facts = read_facts(store.repository, sizer, id);
    facts.commit.training = {{"a", "1"}, {"method", "x\ny"}};
    facts.commit.metrics = {{"test", "accuracy", "0.5", 7, "ab"}, {"dev", "f1", "nan", 0, ""}};
    const Bytes row = encode_facts(facts);
    const CommitFacts back = decode_facts(id, row);
    CHECK(back.commit.serialize() == facts.commit.serialize());
    CHECK(back.signature.verdict == Verdict::good);
    CHECK(back.signature.key == facts.signature.key);
    CHECK(back.signature.reason == facts.signature.reason);
    CHECK(back.sizes.stored() == facts.sizes.stored());
    CHECK(back.density == facts.density);
    CHECK(equal(back, facts));
    const Bytes tensors = encode_tensors(reader.read(facts.commit));
    CHECK(encode_tensors(decode_tensors(id, tensors)) == tensors);
    for (std::size_t cut = 0; cut < row.size(); ++cut) CHECK_THROWS_AS(decode_facts(id, ByteSpan(row).first(cut)), Error);
    for (std::size_t cut = 0; cut < tensors.size(); ++cut) CHECK_THROWS_AS(decode_tensors(id, ByteSpan(tensors).first(cut)), Error);
  }
  const CommitTensors tensors = reader.read(store.repository.read_commit(store.task));
  CHECK(tensors.changed == 1);
  CHECK(tensors.base_units == 50 * 8 + 8 + 64 + 8);
  REQUIRE(tensors.tensors.size() == 2);
  CHECK(tensors.tensors[0].name == "embed.weight");
  CHECK(tensors.tensors[0].op == DeltaOp::modify);
  CHECK(tensors.tensors[0].shape == std::vector<std::uint64_t>{50, 8});
  CHECK(tensors.tensors[0].changed == 1);
  CHECK(tensors.tensors[1].op == DeltaOp::add);
  CHECK(tensors.tensors[1].dtype == DType::bf16);
}

TEST_CASE("the catalog answers as the store does, before and after it was filled") {
  Sandbox sandbox;
  const Store store(sandbox);
  for (int round = 0; round < 3; ++round) {
    const Repository repository = store.again();
    CommitSizer sizer(repository);
    Catalog catalog(repository);
    const auto commits = catalog.commits(catalog.history({store.task}));
    REQUIRE(commits.size() == 2);
    const auto expected = history(repository, {store.task});
    for (std::size_t i = 0; i < commits.size(); ++i) {
      CHECK(commits[i]->id == expected[i]);
      CHECK(equal(*commits[i], read_facts(repository, sizer, expected[i])));
    }
    CHECK(catalog.tensors(store.base).tensors.size() == 4);
    CHECK(repository.catalog()->all(CatalogFile::Kind::commit, repository.trust().digest()).rows.size() == (round == 0 ? 0u : 2u));
  }
  CHECK(store.again().catalog()->all(CatalogFile::Kind::commit, ObjectId()).rows.empty());  // of another trust
}

TEST_CASE("a signature that comes later is seen, and a row that names none is no proof that there is none") {
  Sandbox sandbox;
  Store store(sandbox);
  Commit commit = store.repository.read_commit(store.task);
  commit.message = "unsigned";
  PackSession unsigned_session = store.repository.store().begin_write();
  const ObjectId id = publish_commit(store.repository, unsigned_session, commit, RefName::parse("other"), sandbox.unsigned_committer());
  {
    const Repository repository = store.again();
    CHECK(Catalog(repository).commit(id).signature.verdict == Verdict::unsigned_);
  }
  {
    Repository repository = store.again();
    PackSession session = repository.store().begin_write();
    const Bytes bytes = repository.store().read(ObjectKind::commit, id);
    session.add(ObjectKind::signature, SignatureObject{id, sign_message(*sandbox.key, kCommitNamespace, bytes)}.serialize());
    session.commit();
  }
  const Repository repository = store.again();
  CHECK(Catalog(repository).commit(id).signature.verdict == Verdict::good);
}

TEST_CASE("many rows become bundles, which answer as the rows did and are dropped as they were") {
  Sandbox sandbox;
  Store store(sandbox);
  constexpr std::size_t kCommits = 1100;
  ObjectId head = store.task;
  {
    PackSession session = store.repository.store().begin_write();
    Commit commit = store.repository.read_commit(store.task);
    for (std::size_t i = 0; i < kCommits; ++i) {
      commit.parents = {head};
      commit.time += 60;
      commit.message = "run " + std::to_string(i);
      head = session.add(ObjectKind::commit, as_bytes(commit.serialize()));
    }
    session.commit();
  }
  const auto rows = [&](CatalogFile::Kind kind) {
    const Repository repository = store.again();
    return repository.catalog()->all(kind, repository.trust().digest()).rows.size();
  };
  const auto facts = [&] {
    const Repository repository = store.again();
    Catalog catalog(repository);
    std::vector<Bytes> out;
    for (const CommitFacts* each : catalog.commits(catalog.history({head}))) out.push_back(encode_facts(*each));
    return out;
  };
  const std::vector<Bytes> first = facts();
  REQUIRE(first.size() == kCommits + 2);
  CHECK(rows(CatalogFile::Kind::commit) == kCommits + 2);
  CHECK(facts() == first);  // reads them, and leaves bundles
  CHECK(rows(CatalogFile::Kind::commit) == 0);
  CHECK(rows(CatalogFile::Kind::commit_bundle) > 0);
  CHECK(facts() == first);
  {
    PackSession session = store.repository.store().begin_write();
    const Bytes bytes = store.repository.store().read(ObjectKind::commit, head);
    session.add(ObjectKind::signature, SignatureObject{head, sign_message(*sandbox.key, kCommitNamespace, bytes)}.serialize());
    session.commit();
  }
  const Repository repository = store.again();
  CHECK(Catalog(repository).commit(head).signature.verdict == Verdict::good);
  // What pack_bundles() did not write is no bundle.
  const CatalogFile::Row row{as_bytes("key"), as_bytes("content")};
  const Bytes good = pack_bundles({row, row}).front();
  const auto unpacked = [](ByteSpan content) { return unpack_bundles({{{as_bytes("0"), content}}, {}}).rows.size(); };
  CHECK(unpacked(good) == 2);
  for (std::size_t cut = 0; cut < good.size(); ++cut) CHECK(unpacked(ByteSpan(good).first(cut)) == 0);
}

TEST_CASE("users of one folder, and trust that changes, have rows of their own") {
  Sandbox sandbox;
  const Store store(sandbox);
  const auto verdict = [&] {
    const Repository repository = store.again();
    return Catalog(repository).commit(store.task).signature.verdict;
  };
  const auto become = [&](const char* user) { ::setenv("DSTORE_CONFIG_HOME", (sandbox.dir / user).c_str(), 1); };
  for (int round = 0; round < 2; ++round) {
    become("config");
    CHECK(verdict() == Verdict::good);
    become("stranger");
    CHECK(verdict() == Verdict::untrusted_key);
  }
  become("config");
  put(sandbox.dir / "config/revoked_keys", PublicKeyLine{sandbox.key->public_key(), "x"}.text() + "\n");
  CHECK(verdict() == Verdict::revoked);
  std::filesystem::remove(sandbox.dir / "config/revoked_keys");
  CHECK(verdict() == Verdict::good);
}

TEST_CASE("a row with another key, kind, context or content has no fitting MAC") {
  Sandbox sandbox;
  const std::string dir = sandbox.dir / "folder";
  std::filesystem::create_directory(dir);
  const ObjectId one = sha256(as_bytes("one")), two = sha256(as_bytes("two"));
  const auto open = [&](const ObjectId& repository) { return std::make_unique<CatalogFile>(sandbox.fs, dir, repository); };
  const Bytes content(100, std::byte{7});
  {
    const auto file = open(one);
    REQUIRE(file->usable());
    file->put(CatalogFile::Kind::commit, two, as_bytes("key"), content);
    CHECK_FALSE(file->find(CatalogFile::Kind::commit, two, as_bytes("key")).has_value());  // kept at flush()
  }
  CHECK(open(one)->find(CatalogFile::Kind::commit, two, as_bytes("key")) == content);
  CHECK(open(one)->all(CatalogFile::Kind::commit, two).rows.size() == 1);
  CHECK_FALSE(open(one)->find(CatalogFile::Kind::commit, one, as_bytes("key")).has_value());
  CHECK_FALSE(open(one)->find(CatalogFile::Kind::tensors, two, as_bytes("key")).has_value());
  CHECK_FALSE(open(two)->find(CatalogFile::Kind::commit, two, as_bytes("key")).has_value());
  for (const char* change : {"UPDATE rows SET content = substr(content, 2)", "UPDATE rows SET key = x'6b6579ff'", "UPDATE rows SET kind = 2",
                             "UPDATE rows SET mac = zeroblob(32)", "UPDATE rows SET mac = x''", "UPDATE rows SET content = 'text'"}) {
    std::filesystem::remove(dir + "/catalog.db");
    open(one)->put(CatalogFile::Kind::commit, two, as_bytes("key"), content);
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((dir + "/catalog.db").c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, change, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
    for (const auto kind : {CatalogFile::Kind::commit, CatalogFile::Kind::tensors}) {
      CHECK(open(one)->all(kind, two).rows.empty());
      CHECK_FALSE(open(one)->find(kind, two, as_bytes("key")).has_value());
    }
  }
}

TEST_CASE("many writers and readers of one catalog") {
  Sandbox sandbox;
  const std::string dir = sandbox.dir / "folder";
  std::filesystem::create_directory(dir);
  const ObjectId id = sha256(as_bytes("repository"));
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        CatalogFile file(sandbox.fs, dir, id);
        file.put(CatalogFile::Kind::commit, id, as_bytes(std::to_string(t * 100 + i)), Bytes(50, static_cast<std::byte>(t)));
        file.flush();
        const CatalogFile::Rows found = file.all(CatalogFile::Kind::commit, id);
        for (const CatalogFile::Row& row : found.rows) {
          if (row.content.size() != 50) std::abort();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // A writer that finds the file busy for long gives its row up; nothing is damaged, so most are there.
  CHECK(CatalogFile(sandbox.fs, dir, id).all(CatalogFile::Kind::commit, id).rows.size() > 0);
}

TEST_CASE("HMAC-SHA256 is that of RFC 4231") {
  const Bytes key(20, std::byte{0x0b});
  CHECK(MacKey(key).mac({as_bytes("Hi There")}).hex() == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(MacKey(as_bytes("Jefe")).mac({as_bytes("what do ya "), as_bytes("want for nothing?")}).hex() ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const MacKey other = MacKey(key).clone();
  CHECK(other.mac({as_bytes("Hi "), as_bytes("There")}) == MacKey(key).mac({as_bytes("Hi There")}));
}

}  // namespace dstore::test
