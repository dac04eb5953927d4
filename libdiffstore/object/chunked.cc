#include "object/chunked.h"

#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor/tensor_name.h"

namespace dstore {
namespace {

constexpr std::uint8_t kTensorVersion = 1;

/// Reads exactly the chunk ids that `bytes` implies and nothing more.
std::vector<ObjectId> read_chunks(Reader& reader, std::uint64_t bytes) {
  if (reader.remaining() != checked_mul(chunk_count(bytes), ObjectId::kSize, "chunk list")) reader.fail("wrong number of chunks");
  std::vector<ObjectId> chunks(chunk_count(bytes));
  for (ObjectId& id : chunks) id = reader.id();
  return chunks;
}

}  // namespace

Bytes TensorObject::serialize() const {
  if (shape.size() > kMaxTensorRank) throw Error(ErrorCode::unsupported, "a tensor with more than 64 dimensions");
  Writer out;
  out.u8(kTensorVersion);
  out.u8(static_cast<std::uint8_t>(dtype));
  out.u8(static_cast<std::uint8_t>(shape.size()));
  out.u8(0);
  for (const std::uint64_t dimension : shape) out.u64(dimension);
  for (const ObjectId& id : chunks) out.id(id);
  return out.take();
}

TensorObject TensorObject::parse(ByteSpan bytes, std::string_view what) {
  Reader reader(bytes, what);
  if (reader.u8() != kTensorVersion) throw Error(ErrorCode::unsupported, std::string(what) + ": made by a newer dstore");
  TensorObject tensor;
  const auto dtype = dtype_from_code(reader.u8());
  if (!dtype) throw Error(ErrorCode::unsupported, std::string(what) + ": a dtype this dstore does not know");
  tensor.dtype = *dtype;
  tensor.shape.resize(reader.u8());
  if (tensor.shape.size() > kMaxTensorRank) reader.fail("more than 64 dimensions");
  if (reader.u8() != 0) reader.fail("padding is not zero");
  for (std::uint64_t& dimension : tensor.shape) dimension = reader.u64();
  tensor.bytes = tensor_bytes(tensor.dtype, tensor.shape, what);
  tensor.chunks = read_chunks(reader, tensor.bytes);
  return tensor;
}

Bytes FileObject::serialize() const {
  Writer out;
  out.u64(bytes);
  for (const ObjectId& id : chunks) out.id(id);
  return out.take();
}

FileObject FileObject::parse(ByteSpan bytes, std::string_view what) {
  Reader reader(bytes, what);
  FileObject file;
  file.bytes = reader.u64();
  file.chunks = read_chunks(reader, file.bytes);
  return file;
}

}  // namespace dstore
