#include "sign/ssh_key.h"

#include <algorithm>

#include "base/sha256.h"
#include "dstore/error.h"
#include "sign/base64.h"
#include "sign/ssh_wire.h"

namespace dstore {
namespace {

constexpr std::string_view kFingerprintPrefix = "SHA256:";
constexpr std::string_view kBlank = " \t";

}  // namespace

std::string PublicKey::fingerprint() const {
  ObjectId digest = sha256(blob());
  return std::string(kFingerprintPrefix) + std::string(as_text(base64_encode(digest.bytes(), false)));
}

Bytes PublicKey::blob() const {
  Bytes out;
  ssh_wire::append_string(out, kSshEd25519);
  ssh_wire::append_string(out, ByteSpan(point));
  return out;
}

PublicKey PublicKey::parse_blob(ByteSpan blob, std::string_view what) {
  Reader reader(blob, what);
  std::string_view type = ssh_wire::read_text(reader);
  if (type != kSshEd25519) {
    throw Error(ErrorCode::unsupported, std::string(what) + ": key type '" + printable(type.substr(0, 64)) +
                                            "' is not supported, only ssh-ed25519 is");
  }
  ByteSpan point = ssh_wire::read_string(reader);
  if (point.size() != 32) reader.fail("an Ed25519 public key must have 32 bytes");
  reader.expect_end();
  PublicKey key;
  std::copy(point.begin(), point.end(), key.point.begin());
  if (!is_strict_ed25519_point(key.point)) reader.fail("weak Ed25519 public key (small order or not canonical)");
  return key;
}

std::string PublicKeyLine::text() const {
  std::string out = std::string(kSshEd25519) + " " + std::string(as_text(base64_encode(key.blob())));
  if (!comment.empty()) out += " " + comment;
  return out;
}

PublicKeyLine PublicKeyLine::parse(std::string_view line, std::string_view what) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto fail = [&](ErrorCode code, const std::string& message) -> Error { return Error(code, std::string(what) + ": " + message); };
  if (line.find_first_of(std::string_view("\n\r\0", 3)) != std::string_view::npos)
    throw fail(ErrorCode::corrupt, "a public key is one line");
  std::size_t type_end = line.find_first_of(kBlank);
  std::string_view type = line.substr(0, type_end);
  if (type_end == std::string_view::npos)
    throw fail(ErrorCode::corrupt, "not a public key line; it looks like 'ssh-ed25519 AAAA... comment'");
  if (type != kSshEd25519) {
    throw fail(ErrorCode::unsupported,
               "key type '" + printable(type.substr(0, 64)) + "' is not supported, only ssh-ed25519 is");
  }
  std::size_t digits_begin = std::min(line.find_first_not_of(kBlank, type_end), line.size());
  std::size_t digits_end = std::min(line.find_first_of(kBlank, digits_begin), line.size());
  std::optional<Bytes> blob = base64_decode(line.substr(digits_begin, digits_end - digits_begin));
  if (!blob) throw fail(ErrorCode::corrupt, "the key is not correct base64");
  PublicKeyLine out{PublicKey::parse_blob(*blob, what), {}};
  std::size_t comment = line.find_first_not_of(kBlank, digits_end);
  if (comment != std::string_view::npos) out.comment = line.substr(comment);
  return out;
}

bool is_fingerprint(std::string_view text) {
  if (!text.starts_with(kFingerprintPrefix)) return false;
  std::optional<Bytes> digest = base64_decode(std::string(text.substr(kFingerprintPrefix.size())) + "=");
  return digest && digest->size() == 32;
}

}  // namespace dstore
