#pragma once

#include <stdexcept>
#include <string>

namespace dstore {

/// What went wrong, at the level of an operation. `cli/exit_code.cc` maps each to one exit status.
enum class ErrorCode {
  not_found,         ///< a name, revision, object or file does not exist
  corrupt,           ///< stored or received bytes are not what their id, checksum or format says
  unsupported,       ///< well-formed, but a version, dtype or feature this build does not handle
  invalid_argument,  ///< the caller's input is wrong
  conflict,          ///< somebody else changed it, or it would overwrite something
  untrusted,         ///< a signature is missing, wrong, or by a key that is not trusted
  io,                ///< the operating system refused (disk full, permissions, ...)
  remote,            ///< a remote is unreachable or misbehaves
};

/// The one exception type that leaves the library. The message is one line: what, where, what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace dstore
