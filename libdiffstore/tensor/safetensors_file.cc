#include "tensor/safetensors_file.h"

#include <algorithm>

namespace dstore {

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  SafetensorsHeader header = parse_safetensors_header(file_.bytes(), file_.bytes().size(), path);
  metadata_ = std::move(header.metadata);
  data_ = file_.bytes().subspan(header.raw.size());
  std::sort(header.entries.begin(), header.entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) { return a.info.name < b.info.name; });
  for (SafetensorsEntry& entry : header.entries) {
    infos_.push_back(std::move(entry.info));
    offsets_.push_back(entry.begin);
  }
}

void SafetensorsFile::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  const ByteSpan from = view(index).subspan(offset, out.size());
  std::copy(from.begin(), from.end(), out.begin());
}

}  // namespace dstore
