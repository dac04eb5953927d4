#include <cstring>
#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "base/parallel.h"
#include "delta/element.h"
#include "delta/difference.h"
#include "dstore/error.h"
#include "repo/export.h"
#include "repo/safetensors_output.h"
#include "repo/sparse_patch.h"
#include "repo/changed_tensors.h"
#include "tensor/dtype.h"

namespace dstore {
namespace {

struct Row {
  const ChangedTensors::Tensor* tensor = nullptr;
  std::uint64_t changed = 0;
  DifferenceStats stats;
  bool whole = false;
};

std::uint64_t elements_of(const TensorInfo& info) { return element_count(info.shape, info.name); }
std::uint64_t index_bytes(const TensorInfo& info) { return elements_of(info) <= (std::uint64_t{1} << 31) ? 4 : 8; }

/// Elements that differ, and whether a list of them is smaller than the tensor.
Row look_at(const ChangedTensors& changes, const ChangedTensors::Tensor& tensor) {
  Row row{&tensor, 0, {}, true};
  const TensorInfo& info = changes.info(tensor);
  const std::uint64_t unit = unit_type(info.dtype).bytes;
  if (!tensor.alike || dtype_info(info.dtype).bytes() != unit) return row;
  changes.each_part(tensor, [&](std::uint64_t, ByteSpan before, ByteSpan after) { row.stats += difference_stats(info.dtype, before, after); });
  row.changed = row.stats.changed;
  row.whole = row.changed * (index_bytes(info) + unit) >= info.bytes;
  return row;
}

void add_infos(const ChangedTensors& changes, const Row& row, std::vector<TensorInfo>& out) {
  const TensorInfo& info = changes.info(*row.tensor);
  if (row.whole) return out.push_back(info);
  const std::uint64_t width = index_bytes(info);
  out.push_back({info.name + std::string(kPatchIndices), width == 4 ? DType::i32 : DType::i64, {row.changed}, row.changed * width});
  out.push_back({info.name + std::string(kPatchValues), info.dtype, {row.changed}, row.changed * unit_type(info.dtype).bytes});
}

void write_sparse(const ChangedTensors& changes, const Row& row, SafetensorsOutput& out) {
  const TensorInfo& info = changes.info(*row.tensor);
  const std::uint64_t unit = unit_type(info.dtype).bytes, width = index_bytes(info);
  std::uint64_t done = 0;
  Bytes indices, values;
  changes.each_part(*row.tensor, [&](std::uint64_t offset, ByteSpan before, ByteSpan after) {
    indices.clear();
    values.clear();
    for (std::uint64_t at = 0; at < after.size(); at += unit) {
      if (std::memcmp(before.data() + at, after.data() + at, unit) == 0) continue;
      const std::uint64_t position = (offset + at) / unit;
      const auto* raw = reinterpret_cast<const std::byte*>(&position);
      indices.insert(indices.end(), raw, raw + width);
      values.insert(values.end(), after.begin() + static_cast<std::ptrdiff_t>(at), after.begin() + static_cast<std::ptrdiff_t>(at + unit));
    }
    out.write(info.name + std::string(kPatchIndices), done * width, indices);
    out.write(info.name + std::string(kPatchValues), done * unit, values);
    done += indices.size() / width;
  });
}

void write_whole(const ChangedTensors& changes, const Row& row, SafetensorsOutput& out) {
  const TensorInfo& info = changes.info(*row.tensor);
  Bytes buffer;
  for (std::uint64_t at = 0; at < info.bytes; at += kPieceBytes) {
    buffer.resize(std::min(kPieceBytes, info.bytes - at));
    changes.task().read(row.tensor->task, at, buffer);
    out.write(info.name, at, buffer);
  }
}

std::map<std::string, std::string> metadata(const ChangedTensors& changes, const std::vector<Row>& rows) {
  std::uint64_t changed = 0, elements = 0;
  for (const Row& row : rows) {
    const std::uint64_t count = elements_of(changes.info(*row.tensor));
    elements += count;
    changed += row.whole ? count : row.changed;
  }
  const double sparsity = elements == 0 ? 0 : 1 - static_cast<double>(changed) / static_cast<double>(elements);
  std::map<std::string, std::string> out{{"format", std::string(kPatchFormat)}, {"version", "1"}, {"sparse", "True"}, {"encoding", "raw"}, {"model_version", "0"},
                                         {"num_changed_params", std::to_string(rows.size())}, {"total_changed_elements", std::to_string(changed)},
                                         {"total_elements", std::to_string(elements)}, {"sparsity", shortest_decimal(sparsity)},
                                         {"base_weights", changes.base().weights_id().hex()}};
  if (!changes.renamed().empty()) out["renamed"] = nlohmann::json(changes.renamed()).dump();
  if (!changes.removed().empty()) out["removed"] = nlohmann::json(changes.removed()).dump();
  return out;
}

}  // namespace

ExportReport export_sparse(const Repository& repository, const Revision& revision, const std::string& file, const Progress& progress) {
  Filesystem& fs = repository.fs();
  if (exists(fs, file)) throw Error(ErrorCode::conflict, printable(file) + ": exists already; choose another name");
  const ChangedTensors changes(repository, revision);
  std::vector<Row> rows(changes.tensors().size());
  parallel_for(rows.size(), 0, [&](std::size_t i) { rows[i] = look_at(changes, changes.tensors()[i]); });
  std::vector<TensorInfo> infos;
  for (const Row& row : rows) {
    const std::string& name = row.tensor->name;
    if (row.whole && (name.ends_with(kPatchIndices) || name.ends_with(kPatchValues))) {
      throw Error(ErrorCode::unsupported, "tensor " + printable(name) + ": a name that ends so has another meaning in this format");
    }
    add_infos(changes, row, infos);
  }
  make_directories(fs, parent_path(file));
  SafetensorsOutput out(fs, file, infos, metadata(changes, rows));
  ExportReport report{changes.commits(), {}, {}, 0, out.bytes(), 1};
  std::uint64_t done = 0;
  for (const Row& row : rows) {
    row.whole ? write_whole(changes, row, out) : write_sparse(changes, row, out);
    if (progress) progress(++done, rows.size());
    if (row.whole) report.whole.push_back(row.tensor->name);
    report.tensors.push_back({row.tensor->name, row.stats.sum_of_squares, row.stats.sum_of_squares, row.changed, 0, ""});
  }
  out.commit();
  return report;
}

}  // namespace dstore
