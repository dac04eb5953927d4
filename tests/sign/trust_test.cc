#include "sign/trust.h"

#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "catch.h"
#include "sign/fixtures.h"

using namespace dstore;
using namespace dstore::test;

namespace {

Filesystem& fs() { return posix_filesystem(); }

SigningConfig config_in(const TemporaryFolder& folder) { return {folder.path(), folder / "id_ed25519"}; }

std::string key_text(const PrivateKey& key) { return PublicKeyLine{key.public_key(), ""}.text(); }

const Bytes kMessage = to_bytes("{\"message\":\"sst2\"}");

Bytes signed_by(const PrivateKey& key, std::string_view name_space = kCommitNamespace) {
  return sign_message(key, name_space, kMessage);
}

}  // namespace

TEST_CASE("without files nothing is trusted") {
  TemporaryFolder folder;
  TrustStore store = TrustStore::load(fs(), config_in(folder));
  PrivateKey key = test_key(70);
  Verification result = store.check(signed_by(key), kCommitNamespace, kMessage);
  CHECK(result.verdict == Verdict::untrusted_key);
  CHECK(result.key == key.public_key());
  CHECK(result.reason.find(key.public_key().fingerprint()) != std::string::npos);
  CHECK_FALSE(store.find(key.public_key()).has_value());
  CHECK_FALSE(error_of([&] { result.require_good("commit 0123456789"); }, ErrorCode::untrusted).empty());
}

TEST_CASE("every verdict is given for what it means") {
  TemporaryFolder folder;
  PrivateKey trusted = test_key(71), stranger = test_key(72), stolen = test_key(73);
  folder.write("allowed_signers", "ada@x " + key_text(trusted) + "\neve@x " + key_text(stolen) + "\n");
  folder.write("revoked_keys", key_text(stolen) + " stolen laptop\n");
  TrustStore store = TrustStore::load(fs(), config_in(folder));
  auto verdict = [&](const std::vector<Bytes>& blobs) { return store.check(blobs, kCommitNamespace, kMessage).verdict; };
  Bytes bad = signed_by(trusted);
  bad.back() ^= std::byte{1};
  CHECK(verdict({signed_by(trusted)}) == Verdict::good);
  CHECK(verdict({signed_by(stranger)}) == Verdict::untrusted_key);
  CHECK(verdict({signed_by(stolen)}) == Verdict::revoked);
  CHECK(verdict({bad}) == Verdict::bad);
  CHECK(verdict({Bytes{}}) == Verdict::bad);
  CHECK(verdict({signed_by(trusted, kRefNamespace)}) == Verdict::bad);
  CHECK(verdict({}) == Verdict::unsigned_);
  CHECK(verdict({bad, signed_by(stolen), signed_by(stranger), signed_by(trusted)}) == Verdict::good);
  CHECK(verdict({bad, signed_by(stolen), signed_by(stranger)}) == Verdict::untrusted_key);
  CHECK(verdict({bad, signed_by(stolen)}) == Verdict::revoked);
  Verification good = store.check(signed_by(trusted), kCommitNamespace, kMessage);
  CHECK(good.principal == "ada@x");
  good.require_good("commit");
  CHECK(store.is_revoked(stolen.public_key()));
  for (Verdict each : {Verdict::good, Verdict::untrusted_key, Verdict::revoked, Verdict::bad, Verdict::unsigned_})
    CHECK_FALSE(verdict_name(each).empty());
}

TEST_CASE("a key is trusted only for the namespaces and times of its lines") {
  TemporaryFolder folder;
  PrivateKey key = test_key(74);
  folder.write("allowed_signers", "git@x namespaces=\"git\" " + key_text(key) +
                                      "\nada@x namespaces=\"dstore-*\",valid-after=\"20240101Z\",valid-before=\"20250101Z\" " + key_text(key));
  TrustStore store = TrustStore::load(fs(), config_in(folder));
  const std::int64_t begin = 1704067200, end = 1735689600;
  auto verdict = [&](std::int64_t time) { return store.check(signed_by(key), kCommitNamespace, kMessage, time).verdict; };
  CHECK(verdict(begin - 1) == Verdict::untrusted_key);
  CHECK(verdict(begin) == Verdict::good);
  CHECK(verdict(end) == Verdict::good);
  CHECK(verdict(end + 1) == Verdict::untrusted_key);
  Verification now = store.check(signed_by(key), kCommitNamespace, kMessage);
  CHECK(now.verdict == Verdict::untrusted_key);
  CHECK(now.reason.find("does not allow") != std::string::npos);
}

TEST_CASE("an added key is trusted at once and after loading again, and other lines stay as they were") {
  TemporaryFolder folder;
  const std::string before = "# team\nada@x ssh-rsa AAAAB3NzaC1yc2EAAAAIdw==\nbob@x " + key_text(test_key(75)) + " c";  // no newline at the end
  folder.write("allowed_signers", "", 0600);
  folder.write("allowed_signers", before);
  SigningConfig config = config_in(folder);
  TrustStore store = TrustStore::load(fs(), config);
  PrivateKey key = test_key(76);
  store.add("eve@x", key.public_key());
  CHECK(store.find(key.public_key()) == "eve@x");
  CHECK(TrustStore::load(fs(), config).check(signed_by(key), kCommitNamespace, kMessage).verdict == Verdict::good);
  CHECK(folder.read("allowed_signers") == before + "\neve@x " + key_text(key) + "\n");
  store.add("eve@x", key.public_key());  // nothing to do
  CHECK(folder.read("allowed_signers") == before + "\neve@x " + key_text(key) + "\n");
  CHECK_FALSE(error_of([&] { store.add("mallory@x", key.public_key()); }, ErrorCode::conflict).empty());
  CHECK_FALSE(error_of([&] { store.add("a b", test_key(77).public_key()); }, ErrorCode::invalid_argument).empty());
}

TEST_CASE("keys added by many at once are all there") {
  TemporaryFolder folder;
  SigningConfig config = config_in(folder);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 8; ++i)
    threads.emplace_back([&, i] { TrustStore::load(fs(), config).add("user" + std::to_string(i), test_key(100 + i).public_key()); });
  for (std::thread& thread : threads) thread.join();
  TrustStore store = TrustStore::load(fs(), config);
  for (unsigned i = 0; i < 8; ++i) CHECK(store.find(test_key(100 + i).public_key()) == "user" + std::to_string(i));
}

TEST_CASE("a revoked key cannot be added") {
  TemporaryFolder folder;
  PrivateKey key = test_key(78);
  TrustStore store = TrustStore::load(fs(), config_in(folder));
  folder.write("revoked_keys", key_text(key));  // after loading
  CHECK_FALSE(error_of([&] { store.add("ada@x", key.public_key()); }, ErrorCode::untrusted).empty());
  CHECK(store.is_revoked(key.public_key()));
  CHECK_FALSE(store.find(key.public_key()).has_value());
}

TEST_CASE("trust files that others may write are refused") {
  for (const char* name : {"allowed_signers", "revoked_keys"}) {
    TemporaryFolder folder;
    folder.write(name, key_text(test_key(79)));
    for (mode_t mode : {0620, 0602, 0666}) {
      REQUIRE(chmod((folder / name).c_str(), mode) == 0);
      std::string message = error_of([&] { TrustStore::load(fs(), config_in(folder)); }, ErrorCode::invalid_argument);
      CHECK(message.find("chmod go-w " + folder / name) != std::string::npos);
    }
  }
}

TEST_CASE("an allowed_signers that is a link elsewhere is read, but not replaced") {
  TemporaryFolder folder;
  folder.write("dotfile", "ada@x " + key_text(test_key(80)) + "\n");
  REQUIRE(symlink((folder / "dotfile").c_str(), (folder / "allowed_signers").c_str()) == 0);
  TrustStore store = TrustStore::load(fs(), config_in(folder));
  CHECK(store.find(test_key(80).public_key()) == "ada@x");
  std::string message = error_of([&] { store.add("eve@x", test_key(81).public_key()); }, ErrorCode::conflict);
  CHECK(message.find("eve@x " + key_text(test_key(81))) != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
}

TEST_CASE("a pinned fingerprint trusts the key that signed, and no other") {
  TemporaryFolder folder;
  PrivateKey key = test_key(82), other = test_key(83);
  TrustStore store = TrustStore::load(fs(), config_in(folder));
  const std::string pin = key.public_key().fingerprint();
  CHECK_FALSE(error_of([&] { store.trust_pinned("SHA256:short", {}, kCommitNamespace, kMessage, "ada"); }, ErrorCode::invalid_argument).empty());
  Bytes bad = signed_by(key);
  bad.back() ^= std::byte{1};
  CHECK_FALSE(store.trust_pinned(pin, {bad, signed_by(other), signed_by(key, kRefNamespace)}, kCommitNamespace, kMessage, "ada").has_value());
  CHECK_FALSE(store.find(key.public_key()).has_value());
  CHECK(store.trust_pinned(pin, {signed_by(other), signed_by(key)}, kCommitNamespace, kMessage, "ada") == key.public_key());
  CHECK(store.find(key.public_key()) == "ada");
  CHECK_FALSE(store.find(other.public_key()).has_value());
  CHECK(store.trust_pinned(pin, {signed_by(key)}, kCommitNamespace, kMessage, "another") == key.public_key());
  CHECK(store.find(key.public_key()) == "ada");
}

TEST_CASE("a pin does not bring back a revoked key, nor one that its line limits to other uses") {
  TemporaryFolder folder;
  PrivateKey revoked = test_key(84), limited = test_key(85);
  folder.write("revoked_keys", key_text(revoked));
  folder.write("allowed_signers", "ada namespaces=\"git\" " + key_text(limited));
  TrustStore store = TrustStore::load(fs(), config_in(folder));
  for (const PrivateKey* key : {&revoked, &limited}) {
    auto pin = [&] { store.trust_pinned(key->public_key().fingerprint(), {signed_by(*key)}, kCommitNamespace, kMessage, "ada"); };
    CHECK_FALSE(error_of(pin, ErrorCode::untrusted).empty());
  }
}

TEST_CASE("the list of keys has every key once, with whose it is") {
  TemporaryFolder folder;
  PrivateKey own = test_key(86), friendly = test_key(87), stolen = test_key(88), gone = test_key(89);
  folder.write("allowed_signers", "a,b " + key_text(friendly) + "\nc " + key_text(stolen) + "\nca cert-authority " + key_text(gone) + "\n");
  folder.write("revoked_keys", key_text(stolen) + "\n" + key_text(gone) + "\n");
  TrustStore store = TrustStore::load(fs(), config_in(folder));
  std::vector<KeyListing> rows = store.list(own.public_key());
  REQUIRE(rows.size() == 4);
  CHECK((rows[0].principals == "a,b" && rows[0].key == friendly.public_key() && !rows[0].own && !rows[0].revoked));
  CHECK((rows[1].principals == "c" && rows[1].revoked));
  CHECK((rows[2].principals.empty() && rows[2].own && !rows[2].revoked));
  CHECK((rows[3].key == gone.public_key() && rows[3].revoked));
  CHECK(store.list(std::nullopt).size() == 3);
  CHECK(store.notices().size() == 1);
}
