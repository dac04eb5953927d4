#include "sign/signature_object.h"

namespace dstore {

Bytes SignatureObject::serialize() const {
  Writer out;
  out.id(target);
  out.bytes(blob);
  return out.take();
}

SignatureObject SignatureObject::parse(ByteSpan bytes, std::string_view what) {
  Reader reader(bytes, what);
  SignatureObject out;
  out.target = reader.id();
  ByteSpan blob = reader.bytes(reader.remaining());
  out.blob.assign(blob.begin(), blob.end());
  SshSignature::parse(out.blob, what);
  return out;
}

}  // namespace dstore
