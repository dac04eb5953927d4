#include "repo/adapter_fold.h"

#include <algorithm>
#include <cstring>

#include "dstore/error.h"
#include "repo/adapter_modules.h"
#include "repo/adapter_names.h"
#include "tensor/dtype.h"
#include "tensor/float_convert.h"
#include "tensor/shape_text.h"

namespace dstore {
namespace {

class Folder {
 public:
  Folder(const TensorSource& base, const TensorSource& adapter, const AdapterConfig& config, const std::string& what, AdapterFold& out)
      : base_(base), adapter_(adapter), config_(config), what_(what), out_(out) {}

  void run() {
    const AdapterTensors tensors = sort_adapter_tensors(adapter_, what_);
    const AdapterNames names(base_, tensors, what_);
    out_.prefix = names.added_prefix();
    out_.modules = tensors.modules.size();
    out_.replaced = tensors.whole.size();
    std::vector<TensorEdit> by_base(base_.tensors().size());
    for (const auto& [name, module] : tensors.modules) {
      const std::size_t index = names.base_of(name + ".weight").value();
      by_base[index] = module.values ? sparse(name, module, index) : low_rank(name, module, index);
    }
    bool grows = false;
    for (const auto& [name, index] : tensors.whole) {
      const auto at = names.base_of(name);
      TensorEdit edit{name, at, TensorEdit::Whole{&adapter_, index}};
      grows = grows || !at;
      if (!at) {
        out_.edits.push_back(std::move(edit));
      } else if (by_base[*at].changes()) {
        fail(name, "the adapter has both a change of this tensor and a new one");
      } else {
        by_base[*at] = std::move(edit);
      }
    }
    // New tensors stand beside the base's under the names of the model that was trained; without new ones the base's names stay.
    for (std::size_t i = 0; i < by_base.size(); ++i) {
      by_base[i].base = i;
      by_base[i].name = (grows ? out_.prefix : "") + base_.tensors()[i].name;
      out_.edits.push_back(std::move(by_base[i]));
    }
    if (!grows) out_.prefix.clear();
  }

 private:
  [[noreturn]] void fail(const std::string& name, const std::string& why) const {
    throw Error(ErrorCode::invalid_argument, what_ + ": " + printable(name) + ": " + why);
  }

  const TensorInfo& info(std::size_t index) const { return adapter_.tensors()[index]; }

  Bytes bytes(std::size_t index) const {
    Bytes out(info(index).bytes);
    adapter_.read(index, 0, out);
    return out;
  }

  /// A factor as a matrix: its rows first, the product of the other dimensions after them; or the other way round.
  std::size_t turn(std::size_t index, bool transposed) {
    const TensorInfo& from = info(index);
    const std::uint64_t rows = from.shape.front(), columns = rows == 0 ? 0 : element_count(from.shape, from.name) / rows;
    const std::uint64_t unit = dtype_info(from.dtype).bytes();
    Bytes content = bytes(index);
    if (!transposed) return out_.turned.add({from.name, from.dtype, {rows, columns}, from.bytes}, std::move(content));
    Bytes turned(content.size());
    for (std::uint64_t i = 0; i < rows; ++i) {
      for (std::uint64_t j = 0; j < columns; ++j) std::memcpy(turned.data() + (j * rows + i) * unit, content.data() + (i * columns + j) * unit, unit);
    }
    return out_.turned.add({from.name, from.dtype, {columns, rows}, from.bytes}, std::move(turned));
  }

  TensorEdit low_rank(const std::string& name, const AdapterModule& module, std::size_t base) {
    const TensorInfo &weight = base_.tensors()[base], &a = info(*module.a), &b = info(*module.b);
    for (const TensorInfo* factor : {&a, &b}) {
      if (factor->shape.size() < 2 || dtype_info(factor->dtype).bytes() == 0) fail(factor->name, "a factor needs two dimensions or more, of whole bytes");
    }
    const std::uint64_t rank = config_.rank_of(name);
    if (a.shape.front() != rank || b.shape[1] != rank) {
      fail(name, "the configuration says rank " + std::to_string(rank) + ", the factors are " + shape_text(a) + " and " + shape_text(b));
    }
    const bool square = weight.shape.size() == 2 && weight.shape[0] == weight.shape[1];
    const bool turned_fits = weight.shape.size() == 2 && a.shape[1] == weight.shape[0] && b.shape[0] == weight.shape[1];
    const bool transposed = module.embedding || (turned_fits && (!square || config_.fan_in_fan_out));
    LowRankFactors factors{&adapter_, *module.b, *module.a, config_.scale_of(name), ErrorCode::invalid_argument, true};
    if (transposed) {
      factors.source = &out_.turned;
      factors.b = turn(*module.a, true);
      factors.a = turn(*module.b, true);
    } else if (a.shape.size() > 2 && a.shape.size() == weight.shape.size() && std::equal(a.shape.begin() + 1, a.shape.end(), weight.shape.begin() + 1)) {
      factors.source = &out_.turned;
      factors.b = turn(*module.b, false);
      factors.a = turn(*module.a, false);
    }
    const auto& infos = factors.source->tensors();
    if (const auto problem = low_rank_problem(weight, infos[factors.b], infos[factors.a], factors.scale)) {
      fail(name, *problem + " (the base's tensor is " + std::string(dtype_info(weight.dtype).name) + " " + shape_text(weight) + ", lora_A " +
                     shape_text(a) + ", lora_B " + shape_text(b) + ")");
    }
    TensorEdit edit;
    edit.low_rank = factors;
    return edit;
  }

  /// Rows and columns as PEFT stores them: [2, n] of I32 (or I64; on Windows F32).
  std::vector<std::uint64_t> positions(const std::string& name, std::size_t index, const TensorInfo& weight) const {
    const TensorInfo& from = info(index);
    const Bytes content = bytes(index);
    const std::uint64_t unit = dtype_info(from.dtype).bytes(), count = from.shape[1];
    const auto at = [&](std::uint64_t i) -> std::int64_t {
      std::int32_t narrow = 0;
      std::int64_t wide = 0;
      float number = 0;
      if (from.dtype == DType::i64) return std::memcpy(&wide, content.data() + i * unit, unit), wide;
      if (from.dtype == DType::i32) return std::memcpy(&narrow, content.data() + i * unit, unit), narrow;
      std::memcpy(&number, content.data() + i * unit, unit);
      return number >= 0 && number <= 0x1p24f && number == static_cast<float>(static_cast<std::int64_t>(number)) ? static_cast<std::int64_t>(number) : -1;
    };
    std::vector<std::uint64_t> out;
    out.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto row = static_cast<std::uint64_t>(at(i)), column = static_cast<std::uint64_t>(at(count + i));
      if (row >= weight.shape[0] || column >= weight.shape[1]) fail(name, "index " + std::to_string(i) + " is outside of " + shape_text(weight));
      out.push_back(row * weight.shape[1] + column);
      if (i > 0 && out[i] <= out[i - 1]) fail(name, "its indices are not in ascending order without duplicates (index " + std::to_string(i) + ")");
    }
    return out;
  }

  TensorEdit sparse(const std::string& name, const AdapterModule& module, std::size_t base) const {
    const TensorInfo &weight = base_.tensors()[base], &values = info(*module.values), &indices = info(*module.indices);
    const auto is_number = [](const TensorInfo& tensor) { return is_convertible_float(tensor.dtype) && tensor.dtype != DType::f64; };
    if (weight.shape.size() != 2 || !is_number(weight)) fail(name, "SHiRA needs a matrix of F32, F16 or BF16");
    if (values.shape.size() != 1 || !is_number(values)) fail(name, "shira_weight is not a row of F32, F16 or BF16");
    const bool known = indices.dtype == DType::i32 || indices.dtype == DType::i64 || indices.dtype == DType::f32;
    if (!known || indices.shape != std::vector<std::uint64_t>{2, values.shape[0]}) {
      fail(name, "shira_indices is not I32, I64 or F32 of [2, " + std::to_string(values.shape[0]) + "]");
    }
    TensorEdit edit;
    edit.sparse = SparseEdit{positions(name, *module.indices, weight), &adapter_, *module.values, 0, 1.0f};
    return edit;
  }

  const TensorSource& base_;
  const TensorSource& adapter_;
  const AdapterConfig& config_;
  const std::string& what_;
  AdapterFold& out_;
};

}  // namespace

void fold_adapter(const TensorSource& base, const TensorSource& adapter, const AdapterConfig& config, const std::string& what, AdapterFold& out) {
  Folder(base, adapter, config, what, out).run();
}

}  // namespace dstore
