// The first byte: 0, the rest is a file; else the next two are the size of a data part and the rest the header's JSON.
#include "tensor/safetensors.h"

#include "fuzz.h"
#include "tensor/dtype.h"

namespace dstore::fuzz {
namespace {

std::vector<TensorInfo> tensors_of(const SafetensorsHeader& header) {
  std::vector<TensorInfo> tensors;
  for (const SafetensorsEntry& entry : header.entries) tensors.push_back(entry.info);
  return tensors;
}

void check(ByteSpan bytes, std::uint64_t file_size) {
  accepted([&] {
    const SafetensorsHeader header = parse_safetensors_header(bytes, file_size, "input");
    require(header.raw.size() + header.data_bytes() == file_size, "header and tensors are the whole file");
    std::uint64_t next = 0;
    for (const SafetensorsEntry& entry : header.entries) {
      require(entry.begin == next && entry.end - entry.begin == entry.info.bytes, "tensors follow one another");
      require(entry.info.bytes == tensor_bytes(entry.info.dtype, entry.info.shape, "input"), "a tensor's size is that of its shape");
      next = entry.end;
    }
    const Bytes same_names = rename_in_header(header, {});
    require(parse_safetensors_header(same_names, same_names.size() + header.data_bytes(), "renamed").entries == header.entries,
            "renaming nothing changes nothing");
    const Bytes rendered = render_safetensors_header(tensors_of(header), header.metadata);
    const SafetensorsHeader again = parse_safetensors_header(rendered, rendered.size() + header.data_bytes(), "rendered");
    require(again.entries == header.entries && again.metadata == header.metadata, "a header that is written is read back");
  });
}

}  // namespace

void test_input(ByteSpan bytes) {
  Input input(bytes);
  if (input.u8() == 0) return check(input.rest(), input.rest().size());
  const std::uint64_t data = input.number(2);
  Writer file;
  file.u64(input.rest().size());
  file.bytes(input.rest());
  check(file.data(), file.size() + data);
}

}  // namespace dstore::fuzz
