#include "sign/signing_config.h"

#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "catch.h"
#include "sign/allowed_signers.h"
#include "sign/fixtures.h"

using namespace dstore;
using namespace dstore::test;

namespace {

Filesystem& fs() { return posix_filesystem(); }

SigningConfig config_in(const TemporaryFolder& folder) {
  return {folder / "config/dstore", folder / "config/dstore/id_ed25519"};
}

std::uint32_t mode_of(const std::string& path) { return fs().stat(path, false).value().mode; }

}  // namespace

TEST_CASE("the configuration folder and the key come from the environment, in order") {
  EnvironmentVariable home("HOME", "/home/ada");
  EnvironmentVariable xdg("XDG_CONFIG_HOME", nullptr);
  EnvironmentVariable own("DSTORE_CONFIG_HOME", nullptr);
  EnvironmentVariable key("DSTORE_KEY", nullptr);
  CHECK(SigningConfig::from_environment().folder == "/home/ada/.config/dstore");
  CHECK(SigningConfig::from_environment().key_path == "/home/ada/.config/dstore/id_ed25519");
  EnvironmentVariable relative("XDG_CONFIG_HOME", "relative");
  CHECK(SigningConfig::from_environment().folder == "/home/ada/.config/dstore");
  EnvironmentVariable absolute("XDG_CONFIG_HOME", "/xdg");
  CHECK(SigningConfig::from_environment().folder == "/xdg/dstore");
  EnvironmentVariable mine("DSTORE_CONFIG_HOME", "/mine");
  CHECK(SigningConfig::from_environment().folder == "/mine");
  EnvironmentVariable file("DSTORE_KEY", "/keys/k");
  CHECK(SigningConfig::from_environment().key_path == "/keys/k");
  CHECK_FALSE(SigningConfig::from_environment().key_in_environment);
}

TEST_CASE("without any place for keys there is an error that says which variable to set") {
  EnvironmentVariable home("HOME", nullptr);
  EnvironmentVariable xdg("XDG_CONFIG_HOME", "");
  EnvironmentVariable own("DSTORE_CONFIG_HOME", nullptr);
  CHECK(error_of([] { SigningConfig::from_environment(); }, ErrorCode::invalid_argument).find("HOME") != std::string::npos);
}

TEST_CASE("a created key is loaded again, private to its owner and trusted") {
  TemporaryFolder folder;
  SigningConfig config = config_in(folder);
  CHECK_FALSE(find_private_key(fs(), config).has_value());
  CHECK(error_of([&] { load_private_key(fs(), config); }, ErrorCode::not_found).find(config.key_path) == 0);
  PublicKey key = create_key(fs(), config, "ada@example.org");
  CHECK(load_private_key(fs(), config).public_key() == key);
  CHECK(load_private_key(fs(), config).comment() == "ada@example.org");
  CHECK(mode_of(config.folder) == 0700);
  CHECK(mode_of(config.key_path) == 0600);
  CHECK(PublicKeyLine::parse(read_text_file(fs(), config.key_path + ".pub"), "pub").key == key);
  AllowedSigners trusted = parse_allowed_signers(read_text_file(fs(), config.allowed_signers_path()), "file");
  REQUIRE(trusted.signers.size() == 1);
  CHECK(trusted.signers[0].key == key);
  CHECK(trusted.signers[0].principals == "ada@example.org");
  for (const std::string& name : fs().list(config.folder)) CHECK(name.find("tmp") == std::string::npos);
}

TEST_CASE("a key is never overwritten, nor a public key that lies where its own would go") {
  TemporaryFolder folder;
  SigningConfig config = config_in(folder);
  create_key(fs(), config, "ada");
  std::string before = read_text_file(fs(), config.key_path);
  CHECK(error_of([&] { create_key(fs(), config, "ada"); }, ErrorCode::conflict).find("never overwritten") != std::string::npos);
  fs().remove(config.key_path);
  CHECK_FALSE(error_of([&] { create_key(fs(), config, "ada"); }, ErrorCode::conflict).empty());
  CHECK_FALSE(exists(fs(), config.key_path));
  CHECK(parse_allowed_signers(read_text_file(fs(), config.allowed_signers_path()), "file").signers.size() == 1);
}

TEST_CASE("of many who create the key at once one wins, and the files agree with it") {
  TemporaryFolder folder;
  SigningConfig config = config_in(folder);
  std::atomic<int> won = 0, lost = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      try {
        create_key(fs(), config, "ada");
        ++won;
      } catch (const Error& error) {
        if (error.code() == ErrorCode::conflict) ++lost;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(won == 1);
  CHECK(lost == 7);
  PublicKey key = load_private_key(fs(), config).public_key();
  AllowedSigners trusted = parse_allowed_signers(read_text_file(fs(), config.allowed_signers_path()), "file");
  REQUIRE(trusted.signers.size() == 1);
  CHECK(trusted.signers[0].key == key);
  CHECK(PublicKeyLine::parse(read_text_file(fs(), config.key_path + ".pub"), "pub").key == key);
}

TEST_CASE("a private key that others may read is not used") {
  TemporaryFolder folder;
  SigningConfig config = config_in(folder);
  create_key(fs(), config, "ada");
  for (mode_t mode : {0640, 0604, 0620, 0602, 0610, 0777}) {
    REQUIRE(chmod(config.key_path.c_str(), mode) == 0);
    std::string message = error_of([&] { find_private_key(fs(), config); }, ErrorCode::invalid_argument);
    CHECK(message.find("chmod 600 " + config.key_path) != std::string::npos);
  }
  for (mode_t mode : {0600, 0400, 0700}) {
    REQUIRE(chmod(config.key_path.c_str(), mode) == 0);
    CHECK(find_private_key(fs(), config).has_value());
  }
}

TEST_CASE("DSTORE_KEY may be the text of a key, and then no file is read or made") {
  TemporaryFolder folder;
  PrivateKey key = test_key(60);
  EnvironmentVariable home("DSTORE_CONFIG_HOME", folder.path().c_str());
  EnvironmentVariable variable("DSTORE_KEY", std::string(key.serialize().text()).c_str());
  SigningConfig config = SigningConfig::from_environment();
  CHECK(config.key_in_environment);
  CHECK(load_private_key(fs(), config).public_key() == key.public_key());
  CHECK_FALSE(error_of([&] { create_key(fs(), config, "ada"); }, ErrorCode::conflict).empty());
  EnvironmentVariable damaged("DSTORE_KEY", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----");
  std::string message = error_of([&] { load_private_key(fs(), config); }, ErrorCode::corrupt);
  CHECK(message.find("DSTORE_KEY") == 0);
}

TEST_CASE("DSTORE_KEY may be a path outside the configuration folder") {
  TemporaryFolder folder;
  PrivateKey key = test_key(61);
  folder.write("elsewhere", key.serialize().text());
  EnvironmentVariable home("DSTORE_CONFIG_HOME", (folder / "config").c_str());
  EnvironmentVariable variable("DSTORE_KEY", (folder / "elsewhere").c_str());
  CHECK(load_private_key(fs(), SigningConfig::from_environment()).public_key() == key.public_key());
  CHECK_FALSE(exists(fs(), folder / "config"));
  EnvironmentVariable missing("DSTORE_KEY", (folder / "new/key").c_str());
  SigningConfig config = SigningConfig::from_environment();
  PublicKey made = create_key(fs(), config, "ada");
  CHECK(load_private_key(fs(), config).public_key() == made);
  CHECK(exists(fs(), folder / "config/allowed_signers"));
}

TEST_CASE("the default identity is a principal") {
  CHECK(is_plain_principal(default_identity()));
  CHECK(default_identity().find('@') != std::string::npos);
}
