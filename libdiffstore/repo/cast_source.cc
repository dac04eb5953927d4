#include "repo/cast_source.h"

#include <cstring>

#include "base/bytes.h"
#include "delta/stats.h"

namespace dstore {
namespace {

struct CastRow {
  DType from;
  DType to;
  std::uint16_t (*convert)(float);
};

constexpr CastRow kCasts[] = {
    {DType::f32, DType::bf16, bf16_from_float},
    {DType::f32, DType::f16, f16_from_float},
};

const CastRow* find_cast(DType from, DType to) {
  for (const CastRow& row : kCasts) {
    if (row.from == from && row.to == to) return &row;
  }
  return nullptr;
}

}  // namespace

CastSource::CastSource(const TensorSource& task, const TensorSource& base, const std::vector<Pairing>& pairs)
    : task_(task), infos_(task.tensors()) {
  for (const Pairing& pair : pairs) {
    if (!pair.base || !pair.task) continue;
    TensorInfo& info = infos_[*pair.task];
    const DType wanted = base.tensors()[*pair.base].dtype;
    if (find_cast(info.dtype, wanted) == nullptr) continue;
    info.dtype = wanted;
    info.bytes /= 2;
    ++casts_;
  }
}

void CastSource::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  const CastRow* cast = find_cast(task_.tensors()[index].dtype, infos_[index].dtype);
  if (cast == nullptr) return task_.read(index, offset, out);
  Bytes wide(out.size() * 2);
  task_.read(index, offset * 2, wide);
  for (std::size_t i = 0; i < out.size() / 2; ++i) {
    float value;
    std::memcpy(&value, wide.data() + i * 4, 4);
    const std::uint16_t bits = cast->convert(value);
    std::memcpy(out.data() + i * 2, &bits, 2);
  }
}

std::span<const std::byte> CastSource::view(std::size_t index) const {
  if (task_.tensors()[index].dtype != infos_[index].dtype) return {};
  return task_.view(index);
}

}  // namespace dstore
