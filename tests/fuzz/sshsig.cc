// The first byte says which form: a signature's blob, its text, or a signature object.
#include "sign/sshsig.h"

#include <array>

#include "fuzz.h"
#include "sign/signature_object.h"

namespace dstore::fuzz {
namespace {

void read_blob(ByteSpan bytes) {
  accepted([&] { require(same(SshSignature::parse(bytes, "input").serialize(), bytes), "what is read is the only form"); });
  accepted({ErrorCode::untrusted}, [&] { verify_message(bytes, kCommitNamespace, as_bytes("message")); });
}

void read_text(ByteSpan bytes) {
  accepted([&] {
    const Bytes blob = dearmor(as_text(bytes), "input");
    require(dearmor(armor(blob), "own text") == blob, "a text that is written is read back");
  });
}

void read_object(ByteSpan bytes) {
  accepted([&] { require(same(SignatureObject::parse(bytes, "input").serialize(), bytes), "what is read is the only form"); });
}

constexpr std::array kForms = {read_blob, read_text, read_object};

}  // namespace

void test_input(ByteSpan input) {
  if (input.empty()) return;
  kForms[std::to_integer<std::size_t>(input[0]) % kForms.size()](input.subspan(1));
}

}  // namespace dstore::fuzz
