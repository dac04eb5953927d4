#include "repo/stored_weights.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::size_t kCachedSegments = 4;

}  // namespace

std::shared_ptr<const SegmentCache::Loaded> SegmentCache::get(std::uint32_t segment) const {
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < recent_.size(); ++i) {
    if (recent_[i].first != segment) continue;
    std::rotate(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(i), recent_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    return recent_.front().second;
  }
  if (segment >= ids_.size()) throw Error(ErrorCode::corrupt, "a delta names a segment that it does not list");
  auto loaded = std::make_shared<Loaded>();
  loaded->bytes = store_.read(ObjectKind::segment, ids_[segment]);
  loaded->reader = std::make_unique<SegmentReader>(loaded->bytes, "segment " + ids_[segment].short_hex());
  recent_.insert(recent_.begin(), {segment, std::move(loaded)});
  if (recent_.size() > kCachedSegments) recent_.pop_back();
  return recent_.front().second;
}

void StoredWeights::add(TensorInfo info, Tensor tensor) {
  infos_.push_back(std::move(info));
  tensors_.push_back(std::move(tensor));
}

void StoredWeights::load_tensor(const std::string& name, const ObjectId& id) {
  TensorObject object = TensorObject::parse(store_.read(ObjectKind::tensor, id), "tensor " + printable(name) + " (" + id.short_hex() + ")");
  add({name, object.dtype, std::move(object.shape), object.bytes}, {id, &store_, std::move(object.chunks), std::nullopt, 0, 0, 0});
}

std::unique_ptr<StoredWeights> StoredWeights::load(const ObjectStore& store, const ObjectId& weights) {
  const WeightsTable table = WeightsTable::parse(store.read(ObjectKind::weights, weights), "weights " + weights.short_hex());
  auto out = std::unique_ptr<StoredWeights>(new StoredWeights(store));
  for (const WeightsTable::Row& row : table.rows) out->load_tensor(row.name, row.tensor);
  out->finish(weights);
  return out;
}

std::unique_ptr<StoredWeights> StoredWeights::load(const ObjectStore& store, const DeltaTable& delta, const ObjectStore& base_store) {
  auto out = std::unique_ptr<StoredWeights>(new StoredWeights(store));
  out->base_ = load(base_store, delta.base_weights);
  out->factors_ = std::unique_ptr<StoredWeights>(new StoredWeights(store));
  out->segments_ = std::make_unique<SegmentCache>(store, delta.segments);
  const StoredWeights& base = *out->base_;
  std::vector<bool> taken(base.infos_.size(), false);
  const auto base_index = [&](const std::string& name) {
    const auto index = base.find(name);
    if (!index) throw Error(ErrorCode::corrupt, "a delta changes the tensor " + printable(name) + ", which its base does not have");
    taken[*index] = true;
    return *index;
  };
  for (const DeltaTable::Change& change : delta.changes) {
    if (change.op == DeltaOp::add) {
      out->load_tensor(change.name, change.tensor);
      if (const auto replaced = base.find(change.name)) taken[*replaced] = true;
      continue;
    }
    const std::size_t index = base_index(change.from());
    if (change.op == DeltaOp::remove) continue;
    TensorInfo info = base.infos_[index];
    info.name = change.name;
    if (!is_derived(change.op)) {
      out->add(std::move(info), base.tensors_[index]);
      continue;
    }
    DerivedTensor derived = out->derive(change, index);
    info = derived.info;
    out->add(std::move(info), {change.tensor, nullptr, {}, std::move(derived), change.segment, change.piece, change.pieces});
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (!taken[i]) out->add(base.infos_[i], base.tensors_[i]);
  }
  out->finish(delta.result_weights);
  return out;
}

DerivedTensor StoredWeights::derive(const DeltaTable::Change& change, std::size_t base_index) {
  DerivedTensor out{change.op, base_.get(), base_index, base_->infos_[base_index], {}};
  out.info.name = change.name;
  if (change.convert) out.info = converted_info(out.base_info(), change.name, change.convert->dtype, change.convert->rows);
  if (change.low_rank) {
    out.factors = load_factors(change);
    const auto& loaded = factors_->infos_;
    if (const auto problem = low_rank_problem(out.info, loaded[out.factors.b], loaded[out.factors.a], out.factors.scale)) {
      throw Error(ErrorCode::corrupt, "tensor " + printable(change.name) + ": " + *problem);
    }
  }
  return out;
}

LowRankFactors StoredWeights::load_factors(const DeltaTable::Change& change) {
  const std::size_t first = factors_->infos_.size();
  factors_->load_tensor("factor B of " + change.name, change.low_rank->b);
  factors_->load_tensor("factor A of " + change.name, change.low_rank->a);
  return {factors_.get(), first, first + 1, change.low_rank->scale, ErrorCode::corrupt};
}

void StoredWeights::finish(const ObjectId& expected) {
  std::vector<std::size_t> order(infos_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return infos_[a].name < infos_[b].name; });
  std::vector<TensorInfo> infos;
  std::vector<Tensor> tensors;
  for (const std::size_t i : order) {
    infos.push_back(std::move(infos_[i]));
    tensors.push_back(std::move(tensors_[i]));
  }
  infos_ = std::move(infos);
  tensors_ = std::move(tensors);
  const auto same_name = [](const TensorInfo& a, const TensorInfo& b) { return a.name == b.name; };
  const auto twice = std::adjacent_find(infos_.begin(), infos_.end(), same_name);
  if (twice != infos_.end()) throw Error(ErrorCode::corrupt, "a delta gives two tensors called " + printable(twice->name));
  WeightsTable result = table();
  weights_id_ = object_id(ObjectKind::weights, result.serialize());
  if (weights_id_ != expected) {
    throw Error(ErrorCode::corrupt, "the tensors found make the weights " + weights_id_.short_hex() + ", not " + expected.short_hex());
  }
}

void StoredWeights::read_base_from(const TensorSource& source, std::string_view what) {
  if (!base_) throw Error(ErrorCode::invalid_argument, "weights without a base cannot read one");
  const std::vector<TensorInfo>& wanted = base_->infos_;
  const std::vector<TensorInfo>& given = source.tensors();
  if (wanted != given) {
    const auto [mine, other] = std::mismatch(wanted.begin(), wanted.end(), given.begin(), given.end());
    const std::string& name = mine != wanted.end() && (other == given.end() || mine->name <= other->name) ? mine->name : other->name;
    throw Error(ErrorCode::conflict, std::string(what) + ": is not the base of this task (weights " + base_->weights_id_.hex() + "): the tensor " + printable(name) +
                                         (source.find(name) ? base_->find(name) ? " has another dtype or shape" : " is not in it" : " is not there"));
  }
  // Equal lists: the indexes stay.
  for (Tensor& tensor : tensors_) {
    if (tensor.derived) tensor.derived->base = &source;
  }
}

WeightsTable StoredWeights::table() const {
  WeightsTable table;
  for (std::size_t i = 0; i < infos_.size(); ++i) table.rows.push_back({infos_[i].name, tensors_[i].id});
  return table;
}

const std::vector<StoredWeights::PiecePlace>& StoredWeights::places(std::size_t index) const {
  const std::scoped_lock lock(places_mutex_);
  const auto known = places_.find(index);
  if (known != places_.end()) return known->second;
  const Tensor& tensor = tensors_[index];
  const TensorInfo& info = infos_[index];
  const std::uint64_t units = unit_count(info.dtype, info.bytes);
  std::vector<PiecePlace> found;
  std::uint32_t segment = tensor.segment;
  std::uint32_t piece = tensor.piece;
  for (std::uint32_t left = tensor.pieces; left > 0; ++segment, piece = 0) {
    const auto loaded = segments_->get(segment);
    const auto& held = loaded->reader->pieces();
    if (piece >= held.size()) throw Error(ErrorCode::corrupt, printable(info.name) + ": its delta names a piece that the segment does not have");
    for (; piece < held.size() && left > 0; ++piece, --left) {
      const PieceInfo& at = held[piece];
      const std::uint64_t after = found.empty() ? 0 : found.back().first + found.back().count;
      const std::uint64_t full = piece_units(info.dtype);
      if (at.dtype != info.dtype || at.first < after || at.first % full != 0 || at.first >= units || at.count != std::min(full, units - at.first)) {
        throw Error(ErrorCode::corrupt, printable(info.name) + ": its delta belongs to another tensor");
      }
      found.push_back({segment, piece, at.first, at.count, at.changed});
    }
  }
  return places_.emplace(index, std::move(found)).first->second;
}

const StoredWeights::PiecePlace* StoredWeights::place_at(std::size_t index, std::uint64_t offset) const {
  const std::vector<PiecePlace>& all = places(index);
  const std::uint64_t first = offset / unit_type(infos_[index].dtype).bytes;
  const auto place = std::lower_bound(all.begin(), all.end(), first, [](const PiecePlace& p, std::uint64_t at) { return p.first < at; });
  return place != all.end() && place->first == first ? &*place : nullptr;
}

std::optional<StoredWeights::HeldPiece> StoredWeights::piece_at(std::size_t index, std::uint64_t offset) const {
  const PiecePlace* place = place_at(index, offset);
  if (place == nullptr) return std::nullopt;
  return HeldPiece{segments_->get(place->segment), place->piece};
}

std::uint64_t StoredWeights::changed_at(std::size_t index, std::uint64_t offset) const {
  const PiecePlace* place = place_at(index, offset);
  return place == nullptr ? 0 : place->changed;
}

std::uint64_t StoredWeights::changed(std::size_t index) const {
  std::uint64_t total = 0;
  for (const PiecePlace& place : places(index)) total += place.changed;
  return total;
}

std::uint64_t StoredWeights::chunk_bytes(std::size_t index) const {
  std::uint64_t bytes = 0;
  for (const ObjectId& id : tensors_[index].chunks) {
    const auto entry = tensors_[index].store->find(id);
    bytes += entry ? entry->stored_size : 0;
  }
  return bytes;
}

void StoredWeights::for_each_piece(std::size_t index, const std::function<void(const SegmentReader&, std::size_t)>& visit) const {
  for_each_piece(index, 0, std::numeric_limits<std::uint64_t>::max(), visit);
}

void StoredWeights::for_each_piece(std::size_t index, std::uint64_t first, std::uint64_t count,
                                   const std::function<void(const SegmentReader&, std::size_t)>& visit) const {
  for (const PiecePlace& place : places(index)) {
    if (place.first + place.count <= first) continue;
    if (place.first >= first && place.first - first >= count) return;
    const auto loaded = segments_->get(place.segment);
    visit(*loaded->reader, place.piece);
  }
}

void StoredWeights::add_digest_readers(int count) const {
  for (const StoredWeights* part : {this, static_cast<const StoredWeights*>(base_.get()), static_cast<const StoredWeights*>(factors_.get())}) {
    if (part != nullptr) part->digest_readers_ += count;
  }
}

void StoredWeights::read_stored(std::size_t index, std::uint64_t offset, MutableByteSpan out) const {
  const std::vector<ObjectId>& chunks = tensors_[index].chunks;
  const ObjectStore& store = *tensors_[index].store;
  const Proof proof = digest_readers_ > 0 ? Proof::checksum : Proof::id;
  Bytes scratch;
  while (!out.empty()) {
    const std::uint64_t chunk = offset / kChunkBytes;
    const std::uint64_t size = chunk_size(infos_[index].bytes, chunk);
    const std::uint64_t skip = offset - chunk * kChunkBytes;
    const std::uint64_t take = std::min<std::uint64_t>(out.size(), size - skip);
    if (take == size) {
      store.read_into(ObjectKind::chunk, chunks[chunk], out.first(size), proof);
    } else {
      scratch.resize(size);
      store.read_into(ObjectKind::chunk, chunks[chunk], scratch, proof);
      std::copy_n(scratch.begin() + static_cast<std::ptrdiff_t>(skip), take, out.begin());
    }
    out = out.subspan(take);
    offset += take;
  }
}

void StoredWeights::read_derived(std::size_t index, std::uint64_t offset, MutableByteSpan out) const {
  const TensorInfo& info = infos_[index];
  const DerivedTensor& derived = *tensors_[index].derived;
  const std::uint64_t unit = unit_type(info.dtype).bytes;
  Bytes scratch;
  while (!out.empty()) {
    const std::uint64_t begin = offset - offset % kPieceBytes;
    const std::uint64_t size = std::min(kPieceBytes, info.bytes - begin);
    const std::uint64_t take = std::min<std::uint64_t>(out.size(), begin + size - offset);
    const auto piece = piece_at(index, begin);
    if (!piece && offset % unit == 0 && take % unit == 0) {
      derived.read(offset, out.first(take));
    } else {
      MutableByteSpan whole = out.first(take);
      if (take < size) {
        scratch.resize(size);
        whole = scratch;
      }
      derived.read(begin, whole);
      if (piece) piece->segment->reader->apply(piece->index, begin / unit, whole, info.name);
      if (take < size) std::copy_n(scratch.begin() + static_cast<std::ptrdiff_t>(offset - begin), take, out.begin());
    }
    out = out.subspan(take);
    offset += take;
  }
}

void StoredWeights::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  if (is_modified(index)) return read_derived(index, offset, out);
  read_stored(index, offset, out);
}

}  // namespace dstore
