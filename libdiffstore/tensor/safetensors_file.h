#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/safetensors.h"

namespace dstore {

/// The tensors of one safetensors file, mapped. Immutable and thread-safe.
class SafetensorsFile : public TensorSource {
 public:
  /// Error{not_found}, {io}, {corrupt}, {unsupported}.
  explicit SafetensorsFile(const std::string& path);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;
  std::span<const std::byte> view(std::size_t index) const override { return data_.subspan(offsets_[index], infos_[index].bytes); }

  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& path() const { return file_.path(); }
  ByteSpan bytes() const { return file_.bytes(); }

 private:
  MappedFile file_;
  std::map<std::string, std::string> metadata_;
  ByteSpan data_;
  std::vector<TensorInfo> infos_;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace dstore
