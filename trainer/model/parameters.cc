#include "trainer/model/parameters.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "dstore/error.h"
#include "tensor/dtype.h"
#include "trainer/model/float_cast.h"

namespace dstore {
namespace {

bool trainable_dtype(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

std::uint64_t product(const std::vector<std::uint64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t n : shape) count = checked_mul(count, n, "tensor shape");
  return count;
}

/// Name in this base of a body tensor; nullopt if it has neither form.
std::optional<std::size_t> find_body(const TensorSource& base, const ModelFamily& family, const std::string& name, bool& prefixed) {
  if (const auto at = base.find(std::string(family.prefix) + name)) {
    prefixed = true;
    return at;
  }
  return base.find(name);
}

Parameter from_base(const TensorSource& base, std::size_t index, Role role, std::int64_t layer,
                    const std::vector<std::uint64_t>& shape, const std::string& where) {
  const TensorInfo& info = base.tensors()[index];
  if (info.shape != shape) {
    throw Error(ErrorCode::invalid_argument, where + ": tensor " + printable(info.name) + " has shape " + shape_text(info.shape) +
                                                 ", config.json implies " + shape_text(shape));
  }
  if (!trainable_dtype(info.dtype)) {
    throw Error(ErrorCode::unsupported, where + ": tensor " + printable(info.name) + " is " +
                                            std::string(dtype_info(info.dtype).name) + "; F32, BF16, F16 and F64 can be trained");
  }
  Parameter parameter;
  parameter.role = role;
  parameter.layer = layer;
  parameter.name = info.name;
  parameter.shape = shape;
  parameter.count = product(shape);
  parameter.source = index;
  parameter.dtype = info.dtype;
  return parameter;
}

}  // namespace

std::size_t ParameterTable::find(Role role, std::int64_t layer) const {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].role == role && parameters[i].layer == layer) return i;
  }
  throw Error(ErrorCode::invalid_argument, "the model has no " + std::string(role_info(role).word));
}

std::uint64_t ParameterTable::body_elements() const {
  std::uint64_t total = 0;
  for (const Parameter& p : parameters) total += p.is_head || !p.source ? 0 : p.count;
  return total;
}

std::uint64_t ParameterTable::trainable_elements() const {
  std::uint64_t total = 0;
  for (const Parameter& p : parameters) total += p.trainable ? p.count : 0;
  return total;
}

ParameterTable match_parameters(const TensorSource& base, const ModelConfig& config, std::int64_t outputs, const std::string& where,
                                bool keep_head, MissingBiases biases) {
  ParameterTable table;
  table.config = config;
  table.family = find_family(config.model_type);
  table.outputs = outputs;
  bool prefixed = false;
  std::vector<Parameter> fresh;

  for (const RoleName& row : table.family->names) {
    const RoleInfo& info = role_info(row.role);
    const std::int64_t repeat = info.part == RolePart::layer ? config.layers : 1;
    for (std::int64_t i = 0; i < repeat; ++i) {
      const std::int64_t layer = info.part == RolePart::layer ? i : -1;
      const std::string name = tensor_name(*table.family, row.role, i);
      const auto shape = role_shape(row.role, config, outputs);
      if (info.part == RolePart::head) {
        const auto at = base.find(name);
        if (keep_head && at && base.tensors()[*at].shape == shape && trainable_dtype(base.tensors()[*at].dtype)) {
          table.parameters.push_back(from_base(base, *at, row.role, layer, shape, where));
          table.parameters.back().is_head = true;
          continue;
        }
      } else if (const auto at = find_body(base, *table.family, name, prefixed)) {
        table.parameters.push_back(from_base(base, *at, row.role, layer, shape, where));
        continue;
      } else if (info.part != RolePart::pooler && (info.kind != RoleKind::bias || biases == MissingBiases::refuse)) {
        throw Error(ErrorCode::invalid_argument, where + ": no tensor " + name + " (nor with prefix " + std::string(table.family->prefix) +
                                                     "), which a model of type " + config.model_type + " needs" +
                                                     (info.kind == RoleKind::bias ? "; --method bitfit --set missing=add begins with zeros there"
                                                      : ""));
      }
      Parameter parameter;
      parameter.role = row.role;
      parameter.layer = layer;
      parameter.name = (info.part == RolePart::head ? "" : std::string(table.family->prefix)) + name;
      parameter.shape = shape;
      parameter.count = product(shape);
      parameter.is_head = info.part == RolePart::head || info.part == RolePart::pooler;
      fresh.push_back(std::move(parameter));
    }
  }
  table.base_prefix = prefixed ? "" : std::string(table.family->prefix);
  std::sort(table.parameters.begin(), table.parameters.end(), [](const Parameter& a, const Parameter& b) { return *a.source < *b.source; });

  std::set<std::size_t> used;
  for (const Parameter& p : table.parameters) used.insert(*p.source);
  for (std::size_t i = 0; i < base.tensors().size(); ++i) {
    const TensorInfo& info = base.tensors()[i];
    if (!used.contains(i) && dtype_info(info.dtype).is_float()) table.unused.push_back(info.name);
  }
  std::move(fresh.begin(), fresh.end(), std::back_inserter(table.parameters));
  return table;
}

void read_as_float(const TensorSource& base, const Parameter& parameter, std::span<float> out) {
  if (parameter.dtype == DType::f32) return base.read(*parameter.source, 0, std::as_writable_bytes(out));
  Bytes raw(base.tensors()[*parameter.source].bytes);
  base.read(*parameter.source, 0, raw);
  to_float(parameter.dtype, raw, out);
}

}  // namespace dstore
