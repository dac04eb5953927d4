#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/filesystem.h"
#include "base/random_bytes.h"
#include "dstore/error.h"
#include "sign/ssh_key.h"

namespace dstore::test {

inline Bytes to_bytes(std::string_view text) {
  ByteSpan bytes = as_bytes(text);
  return Bytes(bytes.begin(), bytes.end());
}

inline Bytes from_hex(std::string_view hex) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}

template <std::size_t kSize>
std::array<std::byte, kSize> array_from_hex(std::string_view hex) {
  Bytes bytes = from_hex(hex);
  std::array<std::byte, kSize> out{};
  if (bytes.size() != kSize) throw Error(ErrorCode::invalid_argument, "test vector of wrong size");
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

/// A key that depends only on `number`.
inline PrivateKey test_key(unsigned number, std::string comment = "ada@example.org") {
  Bytes seed = random_bytes(32, number);
  return PrivateKey(Ed25519Seed(std::span<const std::byte, 32>(seed)), std::move(comment));
}

/// What the call throws, or "" if it does not.
template <typename Call>
std::string error_of(Call&& call, ErrorCode code) {
  try {
    call();
  } catch (const Error& error) {
    if (error.code() == code) return error.what();
    return std::string("another code: ") + error.what();
  }
  return "";
}

/// True if the call throws Error{corrupt} or {unsupported}; false if it returns. Anything else fails the test.
template <typename Call>
bool refuses(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::corrupt || error.code() == ErrorCode::unsupported) return true;
    throw;
  }
  return false;
}

/// A folder (0700) that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(join_path(base(), "dstore-sign-" + random_name())) { posix_filesystem().make_directory(path_, 0700); }
  ~TemporaryFolder() { remove_tree(posix_filesystem(), path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return join_path(path_, name); }

  void write(std::string_view name, std::string_view text, std::uint32_t permissions = 0600) const {
    auto file = posix_filesystem().open(*this / name, OpenMode::open_or_create, permissions);
    file->truncate(0);
    file->write_at(0, as_bytes(text));
  }
  std::string read(std::string_view name) const { return read_text_file(posix_filesystem(), *this / name); }

 private:
  static std::string base() {
    const char* folder = std::getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
  }
  std::string path_;
};

/// An environment variable for the life of the object; nullptr unsets it.
class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~EnvironmentVariable() { set(old_ ? old_->c_str() : nullptr); }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

 private:
  void set(const char* value) {
    if (value)
      setenv(name_, value, 1);
    else
      unsetenv(name_);
  }
  const char* name_;
  std::optional<std::string> old_;
};

struct CommandResult {
  int status = -1;
  std::string output;
};

/// A shell command with its output and errors together.
inline CommandResult run_shell(const std::string& command) {
  CommandResult result;
  std::FILE* pipe = popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (!pipe) return result;
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.output.append(buffer, count);
  int status = pclose(pipe);
  result.status = status < 0 ? status : status / 256;
  return result;
}

}  // namespace dstore::test
