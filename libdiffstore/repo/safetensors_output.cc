#include "repo/safetensors_output.h"

#include "base/room.h"

namespace dstore {

SafetensorsOutput::SafetensorsOutput(Filesystem& fs, const std::string& path, const std::vector<TensorInfo>& tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(fs, path) {
  const SafetensorsPlan plan = write_safetensors_header(tensors, metadata);
  bytes_ = plan.header.size();
  for (const std::size_t i : plan.order) {
    offsets_[tensors[i].name] = bytes_;
    bytes_ += tensors[i].bytes;
  }
  require_room(fs, parent_path(path), bytes_, "the export");
  file_.write(plan.header);
  file_.file().truncate(bytes_);
}

void SafetensorsOutput::write(const std::string& name, std::uint64_t offset, ByteSpan bytes) { file_.file().write_at(offsets_.at(name) + offset, bytes); }

}  // namespace dstore
