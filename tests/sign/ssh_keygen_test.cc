// Against the stock ssh-keygen: what one side writes, the other reads.
#include <sys/stat.h>

#include "base/sha256.h"
#include "catch.h"
#include "sign/allowed_signers.h"
#include "sign/fixtures.h"
#include "sign/signature_object.h"
#include "sign/signing_config.h"

using namespace dstore;
using namespace dstore::test;

namespace {

bool have_ssh_keygen() {
  if (run_shell("command -v ssh-keygen").status == 0) return true;
  WARN("ssh-keygen is not installed: this test did nothing");
  return false;
}

std::string run_ok(const std::string& command) {
  CommandResult result = run_shell(command);
  INFO(command << "\n" << result.output);
  REQUIRE(result.status == 0);
  return result.output;
}

}  // namespace

TEST_CASE("keys that ssh-keygen makes are read, with the same fingerprint and public key") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  for (const char* comment : {"", "ada", "a longer comment with spaces", "1234567"}) {
    run_ok("cd " + folder.path() + " && rm -f k k.pub && ssh-keygen -q -t ed25519 -N '' -C '" + comment + "' -f k");
    PrivateKey key = PrivateKey::parse(folder.read("k"), "k");
    PublicKeyLine line = PublicKeyLine::parse(folder.read("k.pub"), "k.pub");
    CHECK(key.public_key() == line.key);
    CHECK(key.comment() == comment);
    CHECK(line.comment == comment);
    CHECK(line.text() + (line.comment.empty() ? " \n" : "\n") == folder.read("k.pub"));
    CHECK(run_ok("ssh-keygen -lf " + folder / "k.pub").find(" " + line.key.fingerprint() + " ") != std::string::npos);
  }
}

TEST_CASE("key files written here are read by ssh-keygen, and come back from it") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  for (unsigned length = 0; length < 9; ++length) {
    PrivateKey key = test_key(30 + length, std::string(length, 'c'));
    folder.write("k", key.serialize().text());
    CHECK(PublicKeyLine::parse(run_ok("ssh-keygen -y -f " + folder / "k"), "output").key == key.public_key());
    run_ok("ssh-keygen -q -p -P '' -N secret -f " + folder / "k");
    CHECK_FALSE(error_of([&] { PrivateKey::parse(folder.read("k"), "k"); }, ErrorCode::unsupported).empty());
    run_ok("ssh-keygen -q -p -P secret -N '' -f " + folder / "k");  // the advice of that error
    CHECK(PrivateKey::parse(folder.read("k"), "k").public_key() == key.public_key());
  }
}

TEST_CASE("keys of other types and formats are refused by name") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  for (const char* type : {"ecdsa", "rsa -b 2048", "rsa -b 2048 -m PEM"}) {
    run_ok("cd " + folder.path() + " && rm -f k k.pub && ssh-keygen -q -N '' -f k -t " + type);
    CHECK_FALSE(error_of([&] { PrivateKey::parse(folder.read("k"), "k"); }, ErrorCode::unsupported).empty());
    CHECK_FALSE(error_of([&] { PublicKeyLine::parse(folder.read("k.pub"), "k"); }, ErrorCode::unsupported).empty());
    CHECK(parse_allowed_signers("ada " + folder.read("k.pub"), "file").signers.empty());
  }
}

TEST_CASE("50 random messages: signatures are the same bytes on both sides and verify on both") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  PrivateKey key = test_key(40);
  folder.write("k", key.serialize().text());
  folder.write("allowed_signers", allowed_signers_line("ada@example.org", key.public_key()));
  for (unsigned i = 0; i < 50; ++i) {
    Bytes message = random_bytes(i * i * 7 % 5000, i);
    std::string name_space(i % 2 ? kCommitNamespace : kRefNamespace);
    std::string other(i % 2 ? kRefNamespace : kCommitNamespace);
    folder.write("m", as_text(message));
    folder.write("m.sig", armor(sign_message(key, name_space, message)));
    std::string cd = "cd " + folder.path() + " && ssh-keygen ";
    run_ok(cd + "-Y verify -f allowed_signers -I ada@example.org -n " + name_space + " -s m.sig < m");
    run_ok(cd + "-Y check-novalidate -n " + name_space + " -s m.sig < m");
    CHECK(run_ok(cd + "-Y find-principals -f allowed_signers -s m.sig").find("ada@example.org") == 0);
    CHECK(run_shell(cd + "-Y verify -f allowed_signers -I ada@example.org -n " + other + " -s m.sig < m").status != 0);
    run_ok("cd " + folder.path() + " && rm m.sig && ssh-keygen -q -Y sign -f k -n " + name_space + " m");
    Bytes blob = dearmor(folder.read("m.sig"), "m.sig");
    CHECK(verify_message(blob, name_space, message) == key.public_key());
    CHECK(blob == sign_message(key, name_space, message));
    CHECK(armor(blob) == folder.read("m.sig"));
  }
}

TEST_CASE("a signature with hash sha256 is refused as unsupported") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  folder.write("k", test_key(41).serialize().text());
  folder.write("m", "m");
  if (run_shell("cd " + folder.path() + " && ssh-keygen -q -Y sign -O hashalg=sha256 -f k -n dstore-commit@v1 m").status != 0) return;
  Bytes blob = dearmor(folder.read("m.sig"), "m.sig");
  CHECK_FALSE(error_of([&] { SshSignature::parse(blob, "sig"); }, ErrorCode::unsupported).empty());
}

TEST_CASE("a key made here is one that ssh-keygen reads and trusts") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  SigningConfig config{folder / "dstore", folder / "dstore/id_ed25519"};
  PublicKey key = create_key(posix_filesystem(), config, "ada@example.org");
  CHECK(run_ok("ssh-keygen -lf " + config.key_path).find(key.fingerprint()) != std::string::npos);
  CHECK(run_ok("ssh-keygen -lf " + config.key_path + ".pub").find(key.fingerprint() + " ada@example.org") != std::string::npos);
  folder.write("m", "m");
  run_ok("ssh-keygen -q -Y sign -f " + config.key_path + " -n dstore-commit@v1 " + folder / "m");
  run_ok("ssh-keygen -Y verify -f " + config.allowed_signers_path() + " -I ada@example.org -n dstore-commit@v1 -s " +
         folder / "m.sig" + " < " + folder / "m");
}

TEST_CASE("the commands of spec/signatures.md check a signature object without dstore") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  PrivateKey key = test_key(42);
  const std::string commit = R"({"message":"sst2"})";
  SignatureObject object{object_id(ObjectKind::commit, as_bytes(commit)), sign_message(key, kCommitNamespace, as_bytes(commit))};
  folder.write("commit.json", commit);
  folder.write("signature.bin", as_text(object.serialize()));
  folder.write("allowed_signers", allowed_signers_line("ada@example.org", key.public_key()));
  std::string cd = "cd " + folder.path() + "\n";
  std::string id = run_ok(cd + R"sh({ printf 'dstore commit %d\0' "$(wc -c < commit.json)"; cat commit.json; } | sha256sum)sh");
  CHECK(id.substr(0, 64) == object.target.hex());
  CHECK(run_ok(cd + R"(head -c 32 signature.bin | od -An -v -tx1 | tr -d ' \n')") == object.target.hex());
  run_ok(cd + R"sh({ echo '-----BEGIN SSH SIGNATURE-----'; tail -c +33 signature.bin | base64 -w 70; echo '-----END SSH SIGNATURE-----'; } > commit.sig)sh");
  run_ok(cd + "ssh-keygen -Y verify -f allowed_signers -I ada@example.org -n dstore-commit@v1 -s commit.sig < commit.json");
  run_ok(cd + "ssh-keygen -Y find-principals -f allowed_signers -s commit.sig");
  folder.write("revoked_keys", PublicKeyLine{key.public_key(), ""}.text() + "\n");
  std::string revoked = "ssh-keygen -Y verify -f allowed_signers -r revoked_keys -I ada@example.org -n dstore-commit@v1 -s commit.sig";
  CHECK(run_shell(cd + revoked + " < commit.json").status != 0);
}

TEST_CASE("the commands of spec/signatures.md check a ref entry without dstore") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  PrivateKey key = test_key(44);
  const std::string payload = R"({"ref":"sst2","sequence":1})";
  folder.write("ENTRY", payload + "\n" + armor(sign_message(key, kRefNamespace, as_bytes(payload))));
  folder.write("allowed_signers", allowed_signers_line("ada@example.org", key.public_key()));
  std::string cd = "cd " + folder.path() + "\n";
  run_ok(cd + R"(head -n 1 ENTRY | tr -d '\n' > payload)");
  run_ok(cd + "tail -n +2 ENTRY > payload.sig");
  run_ok(cd + "ssh-keygen -Y verify -f allowed_signers -I ada@example.org -n dstore-ref@v1 -s payload.sig < payload");
}

TEST_CASE("options of allowed_signers mean what they mean to ssh-keygen") {
  if (!have_ssh_keygen()) return;
  TemporaryFolder folder;
  PrivateKey key = test_key(43);
  std::string key_text = PublicKeyLine{key.public_key(), "c"}.text();
  folder.write("m", "m");
  folder.write("m.sig", armor(sign_message(key, kCommitNamespace, as_bytes("m"))));
  const std::int64_t at = 1700000000;  // 2023-11-14 22:13:20 UTC
  const char* options[] = {
      "", "namespaces=\"dstore-commit@v1\" ", "namespaces=\"git,file\" ", "namespaces=\"dstore-*\" ", "namespaces=\"*,!dstore-commit@v1\" ",
      "NAMESPACES=\"dstore-??????@v1,x\" ", "valid-after=\"20231114Z\" ", "valid-after=\"20231115Z\" ", "valid-before=\"20231114221320Z\" ",
      "valid-before=\"20231114221319Z\" ", "valid-after=\"202311142213Z\",valid-before=\"20231116Z\" ", "namespaces=\"git\",valid-after=\"20200101Z\" ",
      "valid-after=20200101 ", "valid-after=\"20231340Z\" ", "valid-after=\"20240101Z\",valid-before=\"20230101Z\" ", "nonsense ", "cert-authority ",
      "namespaces=\"dstore-commit@v1 ",
  };
  for (const char* option : options) {
    std::string text = "ada@example.org " + std::string(option) + key_text + "\n";
    folder.write("allowed_signers", text);
    bool stock = run_shell("cd " + folder.path() + " && TZ=UTC ssh-keygen -Y verify -f allowed_signers -I ada@example.org -n dstore-commit@v1 "
                           "-O verify-time=20231114221320Z -s m.sig < m").status == 0;
    bool ours = false;
    bool refused = refuses([&] {
      for (const AllowedSigner& signer : parse_allowed_signers(text, "file").signers)
        ours = ours || (signer.allows_namespace(kCommitNamespace) && signer.allows_time(at));
    });
    INFO("option: " << option << (refused ? " (refused)" : ""));
    CHECK(ours == stock);
  }
}
