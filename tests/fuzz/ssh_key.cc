// The first byte says which form: a public key's blob, its line, or a private key's file.
#include "sign/ssh_key.h"

#include <array>

#include "fuzz.h"

namespace dstore::fuzz {
namespace {

void read_blob(ByteSpan bytes) {
  accepted([&] { require(same(PublicKey::parse_blob(bytes, "input").blob(), bytes), "what is read is the only form"); });
}

void read_line(ByteSpan bytes) {
  accepted([&] {
    const PublicKeyLine line = PublicKeyLine::parse(as_text(bytes), "input");
    const PublicKeyLine again = PublicKeyLine::parse(line.text(), "own line");
    require(again.key == line.key && again.comment == line.comment, "a line that is written is read back");
    require(is_fingerprint(line.key.fingerprint()), "a key has a fingerprint");
  });
}

void read_private_key(ByteSpan bytes) {
  accepted([&] {
    const PrivateKey key = PrivateKey::parse(as_text(bytes), "input");
    const PrivateKey again = PrivateKey::parse(key.serialize().text(), "own file");
    require(again.public_key() == key.public_key() && again.comment() == key.comment(), "a file that is written is read back");
  });
}

constexpr std::array kForms = {read_blob, read_line, read_private_key};

}  // namespace

void test_input(ByteSpan input) {
  if (input.empty()) return;
  kForms[std::to_integer<std::size_t>(input[0]) % kForms.size()](input.subspan(1));
}

}  // namespace dstore::fuzz
