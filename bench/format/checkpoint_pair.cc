#include "checkpoint_pair.h"

#include <algorithm>
#include <map>

#include "base/parallel.h"
#include "dstore/error.h"
#include "tensor/safetensors.h"

namespace dstore::bench {
namespace {

constexpr ProfileName kProfiles[] = {
    {"compact", Profile::compact},
    {"fast", Profile::fast},
};

std::map<std::string, std::pair<TensorInfo, ByteSpan>> tensors_of(const MappedFile& file) {
  const SafetensorsHeader header = parse_safetensors_header(file.bytes(), file.bytes().size(), file.path());
  std::map<std::string, std::pair<TensorInfo, ByteSpan>> tensors;
  for (const SafetensorsEntry& entry : header.entries) {
    tensors[entry.info.name] = {entry.info, file.bytes().subspan(header.raw.size() + entry.begin, entry.end - entry.begin)};
  }
  return tensors;
}

}  // namespace

CheckpointPair::CheckpointPair(const std::string& base, const std::string& task) : base_(base), task_(task) {
  const auto after = tensors_of(task_);
  for (const auto& [name, before] : tensors_of(base_)) {
    const auto found = after.find(name);
    if (found == after.end() || found->second.first.dtype != before.first.dtype || found->second.first.shape != before.first.shape) {
      throw Error(ErrorCode::invalid_argument, task + ": no tensor " + name + " like the one in " + base);
    }
    tensors_.push_back({name, before.first.dtype, before.second, found->second.second, bytes_});
    bytes_ += before.second.size();
  }
}

std::uint64_t CheckpointPair::units() const {
  std::uint64_t units = 0;
  for (const TensorPair& tensor : tensors_) units += unit_count(tensor.dtype, tensor.base.size());
  return units;
}

std::span<const ProfileName> profiles() { return kProfiles; }

Profile find_profile(std::string_view name) {
  std::string names;
  for (const ProfileName& row : kProfiles) {
    if (row.name == name) return row.profile;
    names += " " + std::string(row.name);
  }
  throw Error(ErrorCode::invalid_argument, "no profile " + std::string(name) + "; there are:" + names);
}

std::uint64_t EncodedDelta::segment_bytes() const {
  std::uint64_t bytes = 0;
  for (const Bytes& segment : segments) bytes += segment.size();
  return bytes;
}

EncodedDelta encode(const std::vector<TensorPair>& tensors, Profile profile) {
  EncodedDelta delta;
  SegmentWriter writer;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorPair& tensor = tensors[i];
    for (std::size_t at = 0; at < tensor.base.size(); at += kPieceBytes) {
      const std::size_t size = std::min<std::size_t>(kPieceBytes, tensor.base.size() - at);
      const std::uint64_t first = unit_count(tensor.dtype, at);
      const EncodedPiece piece = encode_piece(tensor.dtype, first, tensor.base.subspan(at, size), tensor.task.subspan(at, size), profile);
      if (piece.bytes.empty()) continue;
      if (!writer.fits(piece)) delta.segments.push_back(writer.finish());
      delta.uses.push_back({delta.segments.size(), writer.add(piece), i, first, tensor.offset + at, size});
      delta.changed += piece.changed;
    }
  }
  if (writer.pieces() > 0) delta.segments.push_back(writer.finish());
  return delta;
}

void apply(const EncodedDelta& delta, const std::vector<TensorPair>& tensors, MutableByteSpan buffer, unsigned threads) {
  std::vector<std::optional<SegmentReader>> readers(delta.segments.size());
  parallel_for(readers.size(), threads, [&](std::size_t i) { readers[i].emplace(delta.segments[i], "bench"); });
  parallel_for(delta.uses.size(), threads, [&](std::size_t i) {
    const PieceUse& use = delta.uses[i];
    readers[use.segment]->apply(use.piece, use.first, buffer.subspan(use.offset, use.bytes), tensors[use.tensor].name);
  });
}

}  // namespace dstore::bench
