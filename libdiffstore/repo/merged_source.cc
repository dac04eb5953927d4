#include "repo/merged_source.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/parallel.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "merge/piece_merge.h"
#include "repo/model_range.h"
#include "repo/same_tensor.h"
#include "tensor/dtype.h"
#include "tensor/shape_text.h"

namespace dstore {
namespace {

/// Whether no byte has something of two rows.
bool whole_rows(const TensorInfo& info) { return info.bytes % info.shape.front() == 0; }

std::uint64_t rows_of(const TensorInfo& info, std::uint64_t bytes) { return bytes / (info.bytes / info.shape.front()); }

}  // namespace

bool MergedSource::rows_differ(const Tensor& tensor) const {
  const std::uint64_t bytes = base_.tensors()[*tensor.base].bytes;
  for (std::size_t m = 0; m < models_.size(); ++m) {
    if (tensor.models[m] && !tensor.copied_from && models_[m].weights->tensors()[*tensor.models[m]].bytes != bytes) return true;
  }
  return false;
}

void MergedSource::note_rows(const Tensor& tensor, const TensorInfo& info, const std::string& shaped_by) {
  const std::uint64_t common = rows_of(info, tensor.common), more = rows_of(info, info.bytes) - common;
  row_notes_.push_back("tensor " + printable(info.name) + ": merged in the " + std::to_string(common) + " rows that all have" +
                       (more > 0 ? "; the last " + std::to_string(more) + " are those of " + shaped_by : ""));
}

void MergedSource::fail_shape(const TensorInfo& info, const MergeInput& model, std::size_t tensor) const {
  const TensorInfo& other = model.weights->tensors()[tensor];
  throw Error(ErrorCode::conflict, "tensor " + printable(info.name) + ": " + model.name + " has it as " + std::string(dtype_info(other.dtype).name) + " " +
                                       shape_text(other) + ", the base as " + std::string(dtype_info(info.dtype).name) + " " + shape_text(info) +
                                       "; models can be merged where their shapes and dtypes are the base's");
}

/// A tensor of the base must be in every model with its shape and dtype, or be dropped where no other model changes it.
void MergedSource::check_base_tensor(std::size_t base_index) const {
  const TensorInfo& info = base_.tensors()[base_index];
  const MergeInput* without = nullptr;
  const MergeInput* changing = nullptr;
  for (std::size_t m = 0; m < models_.size(); ++m) {
    const MergeInput& model = models_[m];
    const auto own = of_base_[m][base_index] ? of_base_[m][base_index] : model.weights->find(info.name);
    if (!own) {
      without = &model;
      continue;
    }
    const TensorInfo& other = model.weights->tensors()[*own];
    const bool alike = other.shape == info.shape && other.dtype == info.dtype;
    if (!alike && !(only_rows_differ(info, other) && is_numeric(info.dtype) && whole_rows(info) && whole_rows(other))) fail_shape(info, model, *own);
    if (model.weights->tensor_id(*own) != base_.tensor_id(base_index)) changing = &model;
  }
  if (without == nullptr || changing == nullptr) return;
  throw Error(ErrorCode::conflict, "tensor " + printable(info.name) + ": " + without->name + " does not have it, and " + changing->name + " changes it; merging cannot decide");
}

MergedSource::Tensor MergedSource::plan(const TensorInfo& info, std::size_t base_index) const {
  Tensor tensor;
  tensor.base = base_index;
  tensor.common = info.bytes;
  std::vector<std::size_t> changing;
  for (std::size_t m = 0; m < models_.size(); ++m) {
    std::optional<std::size_t> own = of_base_[m][base_index];
    if (own && models_[m].weights->tensor_id(*own) == base_.tensor_id(base_index)) own.reset();
    if (own) changing.push_back(m);
    if (own) tensor.common = std::min(tensor.common, models_[m].weights->tensors()[*own].bytes);
    tensor.models.push_back(own);
  }
  tensor.deltas = std::all_of(changing.begin(), changing.end(), [&](std::size_t m) {
    const DerivedTensor* derived = models_[m].weights->derived(*tensor.models[m]);
    return derived != nullptr && derived->op == DeltaOp::modify && derived->index == base_index;
  });
  if (changing.empty() || is_numeric(info.dtype)) return tensor;
  for (const std::size_t m : changing) {
    const StoredWeights& first = *models_[changing.front()].weights;
    if (changing.size() == models_.size() && models_[m].weights->tensor_id(*tensor.models[m]) == first.tensor_id(*tensor.models[changing.front()])) continue;
    throw Error(ErrorCode::conflict, "tensor " + printable(info.name) + " (" + std::string(dtype_info(info.dtype).name) + ", no arithmetic): " + models_[m].name +
                                         " changes it and others do not in the same way; merging cannot decide");
  }
  tensor.copied_from = changing.front();
  tensor.copied = *tensor.models[changing.front()];
  return tensor;
}

MergedSource::MergedSource(const StoredWeights& base, const std::vector<MergeInput>& models, const MergeMethod& method, const MergeSettings& settings,
                           const MergeShape& shape, std::optional<DType> calculated_in)
    : base_(base), models_(models), method_(method), settings_(settings), of_base_(models.size(), std::vector<std::optional<std::size_t>>(base.tensors().size())),
      calculated_in_(calculated_in) {
  std::vector<std::string> with_own;  // models that bring tensors, with one of them
  for (std::size_t m = 0; m < models.size(); ++m) {
    std::string own;
    for (const Pairing& pair : models[m].pairs) {
      if (pair.base) of_base_[m][*pair.base] = pair.task;
      else if (own.empty()) own = pair.name;
    }
    if (!own.empty()) with_own.push_back(models[m].name + " (" + printable(own) + ")");
  }
  if (with_own.size() > 1 && !shape.chosen) {
    std::string list;
    for (const std::string& text : with_own) list += (list.empty() ? "" : ", ") + text;
    throw Error(ErrorCode::conflict, "several models bring tensors that the base lacks, such as heads: " + list + "; these are never averaged: say whose are kept (--heads REV, in a revision heads=N), or none (--heads none)");
  }

  for (std::size_t i = 0; i < base.tensors().size(); ++i) check_base_tensor(i);

  const StoredWeights& layout = shape.model ? *models[*shape.model].weights : base;
  layout_ = &layout;
  std::vector<std::optional<std::size_t>> base_of(layout.tensors().size());
  if (shape.model) {
    for (const Pairing& pair : models[*shape.model].pairs) base_of[*pair.task] = pair.base;
  } else {
    for (std::size_t i = 0; i < base_of.size(); ++i) base_of[i] = i;
  }
  for (std::size_t i = 0; i < layout.tensors().size(); ++i) {
    TensorInfo info = layout.tensors()[i];
    Tensor tensor;
    if (base_of[i]) {
      tensor = plan(base.tensors()[*base_of[i]], *base_of[i]);
      const bool changes = std::any_of(tensor.models.begin(), tensor.models.end(), [](const auto& own) { return own.has_value(); });
      ++(changes ? counts_.merged : counts_.unchanged);
      if (rows_differ(tensor)) note_rows(tensor, info, shape.model ? models[*shape.model].name : "the base");
    } else {
      tensor.copied_from = shape.model;
      tensor.copied = i;
      ++counts_.own;
    }
    pairs_.push_back({info.name, base_of[i], i});
    infos_.push_back(std::move(info));
    tensors_.push_back(std::move(tensor));
  }
  describe();
}

/// Fills described_.
void MergedSource::describe() {
  std::vector<std::size_t> order;
  for (std::size_t t = 0; t < tensors_.size(); ++t) {
    if (tensors_[t].base && !tensors_[t].copied_from && is_numeric(infos_[t].dtype)) order.push_back(t);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return *tensors_[a].base < *tensors_[b].base; });
  for (const std::size_t t : order) {
    Tensor& tensor = tensors_[t];
    if (std::any_of(tensor.models.begin(), tensor.models.end(), [](const auto& own) { return own.has_value(); })) tensor.merged = described_.size();
    const TensorInfo& info = base_.tensors()[*tensor.base];
    MergedTensor out{info.name, calculated_in_.value_or(info.dtype), unit_count(info.dtype, tensor.common), info.shape, {}, changed(tensor)};
    if (tensor.common < info.bytes) out.shape.front() = rows_of(info, tensor.common);
    for (std::size_t m = 0; m < models_.size() && !method_.statistics.empty(); ++m) {
      TensorStatistic& statistic = out.statistics.emplace_back();
      if (!models_[m].statistics) continue;
      const auto own = of_base_[m][*tensor.base];
      const auto place = models_[m].statistics->find(own ? models_[m].weights->tensors()[*own].name : info.name);
      if (place) statistic = {models_[m].statistics.get(), *place};
    }
    described_.push_back(std::move(out));
  }
}

/// How many elements each model changes; empty where that is not known.
std::vector<std::uint64_t> MergedSource::changed(const Tensor& tensor) const {
  std::vector<std::uint64_t> out;
  if (!tensor.deltas) return out;
  for (std::size_t m = 0; m < models_.size(); ++m) out.push_back(tensor.models[m] ? models_[m].weights->changed(*tensor.models[m]) : 0);
  return out;
}

struct MergedSource::HeldPieces {
  std::vector<StoredWeights::HeldPiece> held;
  std::vector<ModelPiece> models;
};

MergedSource::HeldPieces MergedSource::hold(std::size_t index, std::uint64_t offset) const {
  const Tensor& tensor = tensors_[index];
  HeldPieces out;
  out.models.resize(models_.size());
  for (std::size_t m = 0; m < models_.size(); ++m) {
    if (!tensor.models[m]) continue;
    auto piece = models_[m].weights->piece_at(*tensor.models[m], offset);
    if (!piece) continue;
    out.models[m] = {piece->segment->reader.get(), piece->index};
    out.held.push_back(std::move(*piece));
  }
  return out;
}

ChangeSource::Touch MergedSource::touch(std::size_t index, std::uint64_t offset) const {
  const Tensor& tensor = tensors_[index];
  if (tensor.copied_from) return Touch::dense;
  if (!tensor.merge) return Touch::none;
  if (!tensor.deltas) return Touch::dense;
  std::uint64_t changed = 0;
  for (std::size_t m = 0; m < models_.size(); ++m) {
    if (tensor.models[m]) changed += models_[m].weights->changed_at(*tensor.models[m], offset);
  }
  if (changed == 0) return Touch::none;
  const TensorInfo& info = infos_[index];
  return merges_sparsely(*tensor.merge, unit_count(info.dtype, std::min(kPieceBytes, info.bytes - offset)), changed) ? Touch::sparse : Touch::dense;
}

Changes MergedSource::changes(std::size_t index, std::uint64_t offset, ByteSpan base) const {
  const TensorInfo& info = infos_[index];
  const HeldPieces pieces = hold(index, offset);
  return PieceMerge(info.dtype, unit_count(info.dtype, offset), base, pieces.models, info.name).apply(*tensors_[index].merge);
}

template <class Use>
void MergedSource::with_models(std::size_t index, std::uint64_t offset, ByteSpan base, Use use) const {
  const Tensor& tensor = tensors_[index];
  std::vector<Bytes> bytes(models_.size());
  std::vector<ByteSpan> views;
  for (std::size_t m = 0; m < models_.size(); ++m) {
    views.push_back(base);
    if (!tensor.models[m]) continue;
    bytes[m].resize(base.size());
    models_[m].weights->read(*tensor.models[m], offset, bytes[m]);
    views.back() = bytes[m];
  }
  use(RawElements{{unit_count(infos_[index].dtype, offset), {}}, base, views});
}

void MergedSource::make(std::size_t index, std::uint64_t offset, ByteSpan base, MutableByteSpan out) const {
  const Tensor& tensor = tensors_[index];
  if (tensor.copied_from) return models_[*tensor.copied_from].weights->read(tensor.copied, offset, out);
  if (offset + out.size() > tensor.common || tensor.merge->row() > 1) return read(index, offset, out);
  with_models(index, offset, base, [&](const RawElements& raw) { ElementMerge(infos_[index].dtype).apply(*tensor.merge, raw, out); });
}

/// Shows the merge one piece of the tensor.
void MergedSource::look(std::size_t index, std::uint64_t offset, ByteSpan base) const {
  const TensorInfo& info = infos_[index];
  TensorMerge& merge = *tensors_[index].merge;
  if (touch(index, offset) == Touch::sparse) {
    const HeldPieces pieces = hold(index, offset);
    return PieceMerge(info.dtype, unit_count(info.dtype, offset), base, pieces.models, info.name).look(merge);
  }
  with_models(index, offset, base, [&](const RawElements& raw) { ElementMerge(info.dtype).look(merge, raw); });
}

/// Calls take(range, offset) for the bytes [begin, begin + size) of a merged tensor, by whole pieces where it can, and whole rows.
template <class Take>
void MergedSource::visit(std::size_t index, std::uint64_t begin, std::uint64_t size, std::uint64_t row, Take take) const {
  const Tensor& tensor = tensors_[index];
  ModelRange range(infos_[index].dtype, models_.size());
  std::vector<bool> own;
  for (const auto& model : tensor.models) own.push_back(model.has_value());
  const std::uint64_t row_bytes = row * unit_type(infos_[index].dtype).bytes;
  const std::uint64_t piece = row == 1 ? kPieceBytes : std::max<std::uint64_t>(1, kPieceBytes / row_bytes) * row_bytes;
  for (std::uint64_t at = begin; at < begin + size;) {
    const std::uint64_t next = std::min(begin + size, (at / piece + 1) * piece);
    range.fill(static_cast<std::size_t>(next - at), own, [&](std::size_t source, MutableByteSpan out) {
      if (source == 0) base_.read(*tensor.base, at, out);
      else models_[source - 1].weights->read(*tensor.models[source - 1], at, out);
    });
    take(range, at);
    at = next;
  }
}

/// Shows look() every window of a merged tensor, in order.
template <class Look>
void MergedSource::look_at(std::size_t index, std::uint64_t row, Look look) const {
  visit(index, 0, tensors_[index].common, row, [&](ModelRange& range, std::uint64_t offset) {
    range.for_each_window(offset / unit_type(infos_[index].dtype).bytes, row, [&](const MergeWindow& window, std::size_t) { look(window); });
  });
}

/// Calls each(tensor) for every tensor, side by side.
template <class Each>
void for_each_tensor(const std::vector<TensorInfo>& infos, unsigned threads, const Progress& progress, Each each) {
  std::uint64_t total = 0, done = 0;
  for (const TensorInfo& info : infos) total += info.bytes;
  std::mutex mutex;
  parallel_for(infos.size(), threads, [&](std::size_t t) {
    each(t);
    const std::scoped_lock lock(mutex);
    done += infos[t].bytes;
    if (progress) progress(done, total);
  });
}

void MergedSource::prepare_model(unsigned threads, const Progress& progress) {
  if (method_.make_model != nullptr) model_ = method_.make_model(settings_, described_);
  while (model_ && model_->wants_pass()) {
    for_each_tensor(infos_, threads, progress, [&](std::size_t t) {
      if (tensors_[t].merged) look_at(t, 1, [&](const MergeWindow& window) { model_->look(*tensors_[t].merged, window); });
    });
    model_->end_pass();
  }
}

void MergedSource::prepare_tensor(std::size_t index) {
  Tensor& tensor = tensors_[index];
  if (!tensor.merged) return;
  const MergedTensor& described = described_[*tensor.merged];
  const MergeSettings settings = settings_.for_tensor(described.name);
  tensor.merge = model_ ? model_->make(settings, *tensor.merged) : method_.make(settings, described);
  Bytes base;
  while (tensor.merge->wants_pass()) {
    if (tensor.merge->row() > 1) look_at(index, tensor.merge->row(), [&](const MergeWindow& window) { tensor.merge->look(window); });
    for (std::uint64_t offset = 0; tensor.merge->row() == 1 && offset < tensor.common; offset += kPieceBytes) {
      if (tensor.merge->only_changes() && touch(index, offset) == Touch::none) continue;
      base.resize(std::min(kPieceBytes, tensor.common - offset));
      base_.read(*tensor.base, offset, base);
      look(index, offset, base);
    }
    tensor.merge->end_pass();
  }
}

void MergedSource::prepare(unsigned threads, const Progress& progress) {
  prepare_model(threads, progress);
  for_each_tensor(infos_, threads, progress, [&](std::size_t t) { prepare_tensor(t); });
}

std::vector<std::string> MergedSource::notes() const {
  std::vector<std::string> out = row_notes_;
  for (const Tensor& tensor : tensors_) {
    if (std::string note = tensor.merge ? tensor.merge->note() : ""; !note.empty()) out.push_back(std::move(note));
  }
  return out;
}

/// A tensor that is merged by whole rows.
void MergedSource::read_rows(std::size_t index, std::uint64_t offset, MutableByteSpan out) const {
  const Tensor& tensor = tensors_[index];
  const DType dtype = infos_[index].dtype;
  const std::uint64_t unit = unit_type(dtype).bytes;
  const std::uint64_t row = tensor.merge->row(), step = unit * row;
  const std::uint64_t begin = offset / step * step, end = (offset + out.size() + step - 1) / step * step;
  Bytes result(end - begin);
  visit(index, begin, result.size(), row, [&](ModelRange& range, std::uint64_t at) {
    const MutableByteSpan target = MutableByteSpan(result).subspan(at - begin, range.base().size());
    std::copy(range.base().begin(), range.base().end(), target.begin());
    if (!range.changed()) return;
    std::vector<double> merged;
    range.for_each_window(at / unit, row, [&](const MergeWindow& window, std::size_t from) {
      merged.resize(window.size());
      tensor.merge->apply(window, merged);
      Bytes bits(merged.size() * unit);
      write_doubles(dtype, merged, bits);
      for (std::size_t i = 0; i < bits.size(); i += unit) {
        if (range.differs(from + i)) std::memcpy(target.data() + from + i, bits.data() + i, unit);
      }
    });
  });
  std::copy_n(result.begin() + static_cast<std::ptrdiff_t>(offset - begin), out.size(), out.begin());
}

void MergedSource::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  const Tensor& tensor = tensors_[index];
  if (tensor.copied_from) return models_[*tensor.copied_from].weights->read(tensor.copied, offset, out);
  if (!tensor.merge) return base_.read(*tensor.base, offset, out);
  if (offset + out.size() > tensor.common) {
    const std::uint64_t merged = offset < tensor.common ? tensor.common - offset : 0;
    layout_->read(index, offset + merged, out.subspan(merged));
    out = out.first(merged);
    if (out.empty()) return;
  }
  if (tensor.merge->row() > 1) return read_rows(index, offset, out);
  const std::uint64_t unit = unit_type(infos_[index].dtype).bytes, last = offset + out.size();
  Bytes base, merged;
  for (std::uint64_t piece = offset / kPieceBytes * kPieceBytes; piece < last; piece += kPieceBytes) {
    const Touch touched = touch(index, piece);
    std::uint64_t begin = piece, end = std::min(piece + kPieceBytes, tensor.common);
    const std::uint64_t wanted_from = std::max(begin, offset), wanted_to = std::min(end, last);
    if (touched != Touch::sparse) {  // no more than what is wanted, in whole elements
      begin = wanted_from / unit * unit;
      end = std::min(end, (wanted_to + unit - 1) / unit * unit);
    }
    base.resize(end - begin);
    base_.read(*tensor.base, begin, base);
    if (touched == Touch::dense) {
      merged.resize(base.size());
      make(index, begin, base, merged);
      std::swap(base, merged);
    } else if (touched == Touch::sparse) {
      const Changes changes = this->changes(index, begin, base);
      put_changes(changes, begin / unit, unit, base);
    }
    std::copy_n(base.begin() + static_cast<std::ptrdiff_t>(wanted_from - begin), wanted_to - wanted_from,
                out.begin() + static_cast<std::ptrdiff_t>(wanted_from - offset));
  }
}

}  // namespace dstore
