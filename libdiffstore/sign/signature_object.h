#pragma once

#include "dstore/id.h"
#include "sign/sshsig.h"

namespace dstore {

/// The content of an object of kind `signature` (spec/signatures.md): 32 bytes of the target's id, then the binary SSH
/// signature to the end. The message that was signed is not in it: it is the target's bytes.
struct SignatureObject {
  ObjectId target;
  Bytes blob;

  Bytes serialize() const;
  /// Refuses an object whose blob is not a well-formed SSH signature: Error{corrupt} or {unsupported} naming `what`.
  static SignatureObject parse(ByteSpan bytes, std::string_view what);
};

}  // namespace dstore
