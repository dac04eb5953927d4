#include <algorithm>
#include <cmath>
#include <cstring>

#include "dstore/error.h"
#include "repo/adapter_modules.h"
#include "repo/peft_output.h"
#include "tensor/dtype.h"
#include "tensor/float_convert.h"

namespace dstore {
namespace {

/// What is added to elements of one weight.
struct Values {
  std::vector<std::uint64_t> positions;  ///< ascending
  std::vector<float> numbers;
};

float as_float(DType dtype, ByteSpan element) {
  float out;
  convert_floats(dtype, element, DType::f32, std::as_writable_bytes(std::span(&out, 1)));
  return out;
}

/// Whether PEFT's base + value, rounded to the dtype, has the task's bits.
bool gives(DType dtype, float base, float value, ByteSpan wanted) {
  const float sum = base + value;
  Bytes bits(wanted.size());
  convert_floats(DType::f32, std::as_bytes(std::span(&sum, 1)), dtype, bits);
  return std::equal(bits.begin(), bits.end(), wanted.begin());
}

/// The F32 that gives the task's bits if it is the rounded difference or one beside it; else the rounded difference.
float addend(DType dtype, ByteSpan before, ByteSpan after, bool& exact) {
  const float base = as_float(dtype, before), value = as_float(dtype, after) - base;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float candidate : {value, std::nextafter(value, kInfinity), std::nextafter(value, -kInfinity)}) {
    exact = gives(dtype, base, candidate, after);
    if (exact) return candidate;
  }
  return value;
}

std::uint64_t count_changes(const ChangedTensors& changes, const ChangedTensors::Tensor& tensor) {
  const std::uint64_t unit = dtype_info(changes.info(tensor).dtype).bytes();
  std::uint64_t count = 0;
  changes.each_part(tensor, [&](std::uint64_t, ByteSpan before, ByteSpan after) {
    for (std::uint64_t at = 0; at < after.size(); at += unit) count += std::memcmp(before.data() + at, after.data() + at, unit) != 0 ? 1 : 0;
  });
  return count;
}

/// The changed elements and the first unchanged ones, with 0, until there are `wanted`: PEFT gives each module rank x (in + out) values.
/// Adding 0 would change -0, so those are left alone where others are enough.
Values collect(const ChangedTensors& changes, const ChangedTensors::Tensor& tensor, std::uint64_t wanted, std::uint64_t changed, ExportedTensor& report) {
  const TensorInfo& info = changes.info(tensor);
  const std::uint64_t unit = dtype_info(info.dtype).bytes();
  Values out;
  std::uint64_t padding = wanted - changed;
  changes.each_part(tensor, [&](std::uint64_t offset, ByteSpan before, ByteSpan after) {
    for (std::uint64_t at = 0; at < after.size(); at += unit) {
      const ByteSpan old = before.subspan(at, unit), now = after.subspan(at, unit);
      const bool same = std::memcmp(old.data(), now.data(), unit) == 0;
      bool exact = true;
      float number = 0;
      if (same) {
        const float base = as_float(info.dtype, old);
        if (padding == 0 || (base == 0 && std::signbit(base)) || base != base) continue;
        --padding;
      } else {
        number = addend(info.dtype, old, now, exact);
        if (!std::isfinite(number)) {
          throw Error(ErrorCode::invalid_argument, "tensor " + printable(info.name) + ": the difference is not finite; SHiRA cannot hold it");
        }
        report.energy += static_cast<double>(number) * number;
        report.inexact += exact ? 0 : 1;
      }
      out.positions.push_back((offset + at) / unit);
      out.numbers.push_back(number);
    }
  });
  if (padding > 0) {
    throw Error(ErrorCode::invalid_argument,
                "tensor " + printable(info.name) + ": has too few elements beside -0 and NaN for SHiRA's " + std::to_string(wanted));
  }
  report.kept = report.energy;
  report.changed = changed;
  return out;
}

}  // namespace

ExportReport export_shira(const Repository& repository, const Revision& revision, const std::string& folder, const Progress& progress) {
  const ChangedTensors changes(repository, revision);
  PeftPlan plan = plan_peft(changes);
  ExportReport report;
  std::vector<const ChangedTensors::Tensor*> linears;
  std::vector<std::uint64_t> counts;
  for (const ChangedTensors::Tensor* tensor : plan.matrices) {
    if (plan.kind(changes, *tensor) != ModuleKind::linear) {
      plan.left_out.push_back(leave_out(changes, *tensor, "SHiRA takes weights of Linear modules alone"));
      continue;
    }
    const std::vector<std::uint64_t>& shape = changes.info(*tensor).shape;
    linears.push_back(tensor);
    counts.push_back(count_changes(changes, *tensor));
    report.rank = std::max(report.rank, (counts.back() + shape[0] + shape[1] - 1) / (shape[0] + shape[1]));
  }
  if (linears.empty()) {
    throw Error(ErrorCode::invalid_argument, "\"" + printable(revision.text) + "\" changes no weight of a Linear module: there is nothing for SHiRA");
  }
  std::vector<TensorInfo> infos;
  std::vector<std::string> modules;
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const TensorInfo& info = changes.info(*linears[i]);
    const std::uint64_t wanted = report.rank * (info.shape[0] + info.shape[1]);
    if (wanted > info.shape[0] * info.shape[1]) {
      throw Error(ErrorCode::invalid_argument, "tensor " + printable(info.name) + ": SHiRA gives every module rank x (in + out) values, and rank " +
                                                   std::to_string(report.rank) + " is more than it has; sparsify the task first (`dstore sparsify`)");
    }
    modules.push_back(module_of(info.name));
    const std::string stem = std::string(kAdapterPrefix) + modules.back();
    infos.push_back({stem + ".shira_weight", DType::f32, {wanted}, wanted * 4});
    infos.push_back({stem + ".shira_indices", DType::i32, {2, wanted}, wanted * 8});
  }
  PeftOutput output(repository.fs(), folder, changes, plan, std::move(infos));
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const TensorInfo& info = changes.info(*linears[i]);
    ExportedTensor& row = report.tensors.emplace_back(ExportedTensor{info.name, 0, 0, 0, 0, ""});
    const Values values = collect(changes, *linears[i], report.rank * (info.shape[0] + info.shape[1]), counts[i], row);
    std::vector<std::int32_t> indices;
    for (const std::uint64_t position : values.positions) indices.push_back(static_cast<std::int32_t>(position / info.shape[1]));
    for (const std::uint64_t position : values.positions) indices.push_back(static_cast<std::int32_t>(position % info.shape[1]));
    const std::string stem = std::string(kAdapterPrefix) + modules[i];
    output.write(stem + ".shira_weight", 0, std::as_bytes(std::span(values.numbers)));
    output.write(stem + ".shira_indices", 0, std::as_bytes(std::span(indices)));
    if (progress) progress(i + 1, linears.size());
  }
  output.commit({{"peft_type", "SHIRA"}, {"r", report.rank}, {"mask_type", "random"}, {"random_seed", 0}, {"fan_in_fan_out", false}, {"init_weights", true}},
                modules, report);
  return report;
}

}  // namespace dstore
