#include <array>
#include <cstring>
#include <memory>
#include <random>

#include "base/ordered_pipeline.h"
#include "base/parallel.h"
#include "commands.h"
#include "delta/bits.h"
#include "delta/element.h"
#include "measure.h"
#include "merge/piece_merge.h"
#include "object/chunked.h"
#include "tensor/safetensors_file.h"

namespace dstore::bench {
namespace {

constexpr std::size_t kTasks = 3;
constexpr int kRounds = 3;

/// A tensor of the base, and for each of its pieces where the tasks' changes are.
struct Tensor {
  std::string name;
  DType dtype;
  ByteSpan base;
  std::vector<std::array<std::pair<std::size_t, std::size_t>, kTasks>> pieces;  ///< segment, place in it; no segment: SIZE_MAX

  std::uint64_t units() const { return unit_count(dtype, base.size()); }
  ByteSpan piece(std::size_t p) const { return base.subspan(p * kPieceBytes, std::min<std::size_t>(kPieceBytes, base.size() - p * kPieceBytes)); }
  std::uint64_t first(std::size_t p) const { return unit_count(dtype, p * kPieceBytes); }
};

/// bf16 numbers at uniformly random places, moved by 1 to 3 units in the last place.
Changes random_changes(const Tensor& tensor, std::size_t p, double density, std::mt19937_64& random) {
  Changes out;
  const ByteSpan base = tensor.piece(p);
  std::geometric_distribution<std::uint64_t> gap(density);
  for (std::uint64_t at = gap(random); at < base.size() / 2; at += 1 + gap(random)) {
    const auto old_value = load_le<std::uint16_t>(&base[at * 2]);
    const auto step = static_cast<std::uint16_t>(1 + random() % 3);
    const auto new_value = static_cast<std::uint16_t>(random() % 2 == 0 ? old_value + step : old_value - step);
    out.positions.push_back(tensor.first(p) + at);
    const std::size_t size = out.old_values.size();
    out.old_values.resize(size + 2);
    out.new_values.resize(size + 2);
    store_le(&out.old_values[size], old_value);
    store_le(&out.new_values[size], new_value);
  }
  return out;
}

/// The tasks as segments, verified as a reader does, ready in memory.
struct Tasks {
  std::vector<Bytes> segments;
  std::vector<std::unique_ptr<SegmentReader>> readers;

  Tasks(std::vector<Tensor>& tensors, double density) {
    for (std::size_t task = 0; task < kTasks; ++task) {
      std::mt19937_64 random(100 + task);
      SegmentWriter writer;
      for (Tensor& tensor : tensors) {
        tensor.pieces.resize((tensor.base.size() + kPieceBytes - 1) / kPieceBytes);
        for (std::size_t p = 0; p < tensor.pieces.size(); ++p) {
          const EncodedPiece piece = encode_piece(tensor.dtype, tensor.first(p), tensor.piece(p), random_changes(tensor, p, density, random));
          tensor.pieces[p][task] = {SIZE_MAX, 0};
          if (piece.bytes.empty()) continue;
          if (!writer.fits(piece)) segments.push_back(writer.finish());
          tensor.pieces[p][task] = {segments.size(), writer.add(piece)};
        }
      }
      if (writer.pieces() != 0) segments.push_back(writer.finish());
    }
    for (const Bytes& segment : segments) readers.push_back(std::make_unique<SegmentReader>(segment, "bench"));
  }
  std::vector<ModelPiece> pieces(const Tensor& tensor, std::size_t p) const {
    std::vector<ModelPiece> out;
    for (const auto& [segment, place] : tensor.pieces[p]) out.push_back(segment == SIZE_MAX ? ModelPiece{} : ModelPiece{readers[segment].get(), place});
    return out;
  }
};

struct Work {
  std::size_t tensor, piece;
};

/// All tensors' pieces that some task changes.
std::vector<Work> works(const std::vector<Tensor>& tensors, const Tasks& tasks) {
  std::vector<Work> out;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    for (std::size_t p = 0; p < tensors[t].pieces.size(); ++p) {
      std::uint64_t changed = 0;
      for (const ModelPiece& piece : tasks.pieces(tensors[t], p)) changed += piece.changed();
      if (changed != 0) out.push_back({t, p});
    }
  }
  return out;
}

/// A piece of the result by way of whole pieces of the models.
EncodedPiece merge_whole(const Tensor& tensor, std::size_t p, const std::vector<ModelPiece>& pieces, const TensorMerge& merge) {
  const ByteSpan base = tensor.piece(p);
  std::vector<Bytes> models;
  for (const ModelPiece& piece : pieces) {
    models.emplace_back(base.begin(), base.end());
    if (piece.reader != nullptr) piece.reader->apply(piece.index, tensor.first(p), models.back(), tensor.name);
  }
  const std::vector<ByteSpan> views(models.begin(), models.end());
  Bytes merged(base.size());
  ElementMerge(tensor.dtype).apply(merge, {{tensor.first(p), {}}, base, views}, merged);
  return encode_piece(tensor.dtype, tensor.first(p), base, merged);
}

/// Base and tasks to the segments of the result; `whole`: not by changes alone.
std::vector<Bytes> merge(const std::vector<Tensor>& tensors, const Tasks& tasks, const MethodChoice& choice, std::vector<Changes>* changes, bool whole = false) {
  std::vector<std::unique_ptr<TensorMerge>> merges(tensors.size());
  parallel_for(tensors.size(), 0, [&](std::size_t t) {
    const Tensor& tensor = tensors[t];
    std::vector<std::uint64_t> changed(kTasks);
    for (std::size_t p = 0; p < tensor.pieces.size(); ++p) {
      const auto pieces = tasks.pieces(tensor, p);
      for (std::size_t i = 0; i < kTasks; ++i) changed[i] += pieces[i].changed();
    }
    merges[t] = choice.method->make(choice.settings, {tensor.name, tensor.dtype, tensor.units(), {}, {}, changed});
    while (merges[t]->wants_pass()) {
      for (std::size_t p = 0; p < tensor.pieces.size(); ++p) {
        PieceMerge(tensor.dtype, tensor.first(p), tensor.piece(p), tasks.pieces(tensor, p), tensor.name).look(*merges[t]);
      }
      merges[t]->end_pass();
    }
  });
  const std::vector<Work> work = works(tensors, tasks);
  std::vector<EncodedPiece> encoded(work.size());
  if (changes != nullptr) changes->resize(work.size());
  std::vector<Bytes> segments;
  SegmentWriter writer;
  ordered_pipeline(
      work.size(), 0,
      [&](std::size_t i, Bytes&) {
        const Tensor& tensor = tensors[work[i].tensor];
        const std::size_t p = work[i].piece;
        if (whole) {
          encoded[i] = merge_whole(tensor, p, tasks.pieces(tensor, p), *merges[work[i].tensor]);
          return;
        }
        Changes merged = PieceMerge(tensor.dtype, tensor.first(p), tensor.piece(p), tasks.pieces(tensor, p), tensor.name).apply(*merges[work[i].tensor]);
        encoded[i] = encode_piece(tensor.dtype, tensor.first(p), tensor.piece(p), merged);
        if (changes != nullptr) (*changes)[i] = std::move(merged);
      },
      [&](std::size_t i, const Bytes&) {
        const EncodedPiece piece = std::move(encoded[i]);
        if (piece.bytes.empty()) return;
        if (!writer.fits(piece)) segments.push_back(writer.finish());
        writer.add(piece);
      });
  if (writer.pieces() != 0) segments.push_back(writer.finish());
  return segments;
}

/// What a commit adds: the ids of the chunks that changed.
void hash_results(const std::vector<Tensor>& tensors, const Tasks& tasks, const std::vector<Changes>& changes) {
  const std::vector<Work> work = works(tensors, tasks);
  parallel_for(work.size(), 0, [&](std::size_t i) {
    const Tensor& tensor = tensors[work[i].tensor];
    const ByteSpan base = tensor.piece(work[i].piece);
    Bytes result(base.begin(), base.end());
    put_changes(changes[i], tensor.first(work[i].piece), unit_type(tensor.dtype).bytes, result);
    for (std::size_t at = 0; at < result.size(); at += kChunkBytes) {
      object_id(ObjectKind::chunk, ByteSpan(result).subspan(at, std::min<std::size_t>(kChunkBytes, result.size() - at)));
    }
  });
}

Json run(std::vector<Tensor>& tensors, double density, const MethodChoice& choice) {
  const Tasks tasks(tensors, density);
  Json result = Json(Json::Object{});
  Rounds rounds;
  std::uint64_t bytes = 0, units = 0, changed = 0;
  std::int64_t anonymous = 0;
  std::vector<Changes> changes;
  for (int round = 0; round < kRounds; ++round) {
    rounds.time("merge", [&] {
      bytes = 0;
      for (const Bytes& segment : merge(tensors, tasks, choice, nullptr)) bytes += segment.size();
    }, true);
  }
  {
    const AnonymousPeak peak;  // apart: looking costs time
    merge(tensors, tasks, choice, nullptr);
    anonymous = peak.bytes();
  }
  merge(tensors, tasks, choice, &changes);
  rounds.time("commit", [&] { hash_results(tensors, tasks, changes); }, true);
  for (const Changes& piece : changes) changed += piece.positions.size();
  for (const Tensor& tensor : tensors) units += tensor.units();
  rounds.into(result);
  result.set("units", static_cast<std::int64_t>(units));
  result.set("changed", static_cast<std::int64_t>(changed));
  result.set("segment_bytes", static_cast<std::int64_t>(bytes));
  result.set("anonymous", anonymous);
  return result;
}

std::vector<Tensor> tensors_of(const SafetensorsFile& file, std::uint64_t most) {
  std::vector<Tensor> tensors;
  std::uint64_t bytes = 0;
  for (std::size_t t = 0; t < file.tensors().size() && bytes < most; ++t) {
    tensors.push_back({file.tensors()[t].name, file.tensors()[t].dtype, file.view(t), {}});
    bytes += file.view(t).size();
  }
  return tensors;
}

}  // namespace

Json merge_segments(const std::string& base, double density, const MethodChoice& choice) {
  const SafetensorsFile file(base);
  std::vector<Tensor> tensors = tensors_of(file, UINT64_MAX);
  return run(tensors, density, choice);
}

Json merge_both_ways(const std::string& base, double density, const MethodChoice& choice) {
  constexpr std::uint64_t kEnough = 100 << 20;
  const SafetensorsFile file(base);
  std::vector<Tensor> tensors = tensors_of(file, kEnough);
  const Tasks tasks(tensors, density);
  Rounds rounds;
  for (int round = 0; round < kRounds; ++round) {
    rounds.time("changes", [&] { merge(tensors, tasks, choice, nullptr); });
    rounds.time("whole", [&] { merge(tensors, tasks, choice, nullptr, true); });
  }
  Json result = Json(Json::Object{});
  rounds.into(result);
  return result;
}

Json merge_in_memory(std::uint64_t units, std::uint64_t changed, const MethodChoice& choice) {
  constexpr std::uint64_t kUnits = 1 << 24;  ///< of a tensor
  Bytes base(units * 2);
  std::mt19937_64 random(1);
  for (std::uint64_t at = 0; at + 8 <= base.size(); at += 8) {
    const std::uint64_t words = (random() & 0x83ff'83ff'83ff'83ffu) | 0x3800'3800'3800'3800u;
    std::memcpy(&base[at], &words, 8);
  }
  std::vector<Tensor> tensors;
  for (std::uint64_t at = 0; at < units; at += kUnits) {
    tensors.push_back({"tensor " + std::to_string(at), DType::bf16, ByteSpan(base).subspan(at * 2, std::min(kUnits, units - at) * 2), {}});
  }
  return run(tensors, static_cast<double>(changed) / static_cast<double>(units), choice);
}

}  // namespace dstore::bench
