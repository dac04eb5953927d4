#include "repo/write_delta.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/ordered_pipeline.h"
#include "base/parallel.h"
#include "dstore/error.h"
#include "repo/choose_derivation.h"

namespace dstore {
namespace {

/// One unit of work: a piece of a tensor that is made from one of the base.
struct Job {
  std::size_t pair = 0;
  std::uint64_t piece = 0;
  // Results:
  EncodedPiece encoded;
  std::vector<ObjectId> chunks;  ///< of the task
  std::uint64_t bytes = 0;       ///< of the piece
};

/// The bytes of a range, mapped or read into `scratch`.
ByteSpan range_of(const TensorSource& source, std::size_t index, std::uint64_t offset, std::uint64_t size, Bytes& scratch) {
  if (const auto view = source.view(index); !view.empty()) return view.subspan(offset, size);
  scratch.resize(size);
  source.read(index, offset, scratch);
  return scratch;
}

[[noreturn]] void fail_proof(const std::string& name) {
  throw Error(ErrorCode::corrupt, "tensor " + printable(name) + ": its encoded difference does not give it back; nothing was stored");
}

Bytes segment_of(const EncodedPiece& piece) {
  SegmentWriter writer;
  writer.add(piece);
  return writer.finish();
}

/// Faults in the encoder or in memory must not become a commit. `base` becomes the task.
void prove(const EncodedPiece& piece, std::uint64_t first, MutableByteSpan base, ByteSpan task, const std::string& name) {
  const Bytes segment = segment_of(piece);
  SegmentReader(segment, "new segment").apply(0, first, base, name);
  if (!std::equal(base.begin(), base.end(), task.begin(), task.end())) fail_proof(name);
}

/// The same where only the changes are known.
void prove(const EncodedPiece& piece, std::uint64_t first, MutableByteSpan base, const Changes& changes, std::size_t unit, const std::string& name) {
  const Bytes segment = segment_of(piece);
  const Changes decoded = SegmentReader(segment, "new segment").changes(0, first, base, name);
  if (decoded.positions != changes.positions || decoded.new_values != changes.new_values) fail_proof(name);
  put_changes(changes, first, unit, base);
}

/// A piece of a tensor that a task makes from the base's. `wanted`: also where it is the base's.
struct PieceInput {
  const StoredWeights& base;
  const DerivedTensor& derived;
  const TensorSource& task;
  std::size_t index;  ///< in the task
  const ChangeSource* changes;
  std::uint64_t offset, size;
  bool wanted;

  bool plain() const { return derived.op == DeltaOp::modify && !base.is_modified(derived.index); }
  const ObjectId& base_chunk(std::uint64_t at) const { return base.chunks(derived.index)[(offset + at) / kChunkBytes]; }
  std::uint64_t unit() const { return unit_type(derived.info.dtype).bytes; }
  std::uint64_t first() const { return offset / unit(); }
};

/// `before` becomes the task. Only chunks with a change are hashed.
void run_sparse(Job& job, const PieceInput& in, Profile profile, Bytes& before) {
  const std::size_t unit = in.unit();
  const Changes changes = in.changes->changes(in.index, in.offset, before);
  job.encoded = encode_piece(in.derived.info.dtype, in.first(), before, changes, profile);
  if (!job.encoded.bytes.empty()) prove(job.encoded, in.first(), before, changes, unit, in.derived.info.name);
  for (std::uint64_t at = 0; at < in.size; at += kChunkBytes) {
    const std::uint64_t length = std::min(kChunkBytes, in.size - at);
    const auto next = std::lower_bound(changes.positions.begin(), changes.positions.end(), (in.offset + at) / unit);
    const bool touched = next != changes.positions.end() && *next * unit < in.offset + at + length;
    job.chunks.push_back(touched ? object_id(ObjectKind::chunk, ByteSpan(before).subspan(at, length)) : in.base_chunk(at));
  }
}

void run_dense(Job& job, const PieceInput& in, Profile profile, Bytes& before) {
  Bytes task_buffer;
  ByteSpan after;
  if (in.changes != nullptr && in.plain()) {
    task_buffer.resize(in.size);
    in.changes->make(in.index, in.offset, before, task_buffer);
    after = task_buffer;
  } else {
    after = range_of(in.task, in.index, in.offset, in.size, task_buffer);
  }
  for (std::uint64_t at = 0; at < in.size; at += kChunkBytes) {
    const std::uint64_t length = std::min(kChunkBytes, in.size - at);
    const bool known = in.plain() && std::memcmp(before.data() + at, after.data() + at, length) == 0;
    job.chunks.push_back(known ? in.base_chunk(at) : object_id(ObjectKind::chunk, after.subspan(at, length)));
  }
  job.encoded = encode_piece(in.derived.info.dtype, in.first(), before, after, profile);
  if (!job.encoded.bytes.empty()) prove(job.encoded, in.first(), before, after, in.derived.info.name);
}

/// `before` becomes the task, where it is wanted.
void run(Job& job, const PieceInput& in, Profile profile, Bytes& before) {
  const ChangeSource::Touch touch = in.changes != nullptr && in.plain() ? in.changes->touch(in.index, in.offset) : ChangeSource::Touch::dense;
  job.bytes = in.size;
  if (touch == ChangeSource::Touch::none) {
    for (std::uint64_t at = 0; at < in.size; at += kChunkBytes) job.chunks.push_back(in.base_chunk(at));
    if (!in.wanted) return;
  }
  before.resize(in.size);
  in.derived.read(in.offset, before);
  if (touch == ChangeSource::Touch::none) return;
  if (touch == ChangeSource::Touch::sparse) return run_sparse(job, in, profile, before);
  run_dense(job, in, profile, before);
}

/// Fills segments in order and remembers where each tensor's pieces went.
class SegmentFiller {
 public:
  SegmentFiller(PackSession& session, WrittenDelta& out) : session_(session), out_(out) {}

  void add(const EncodedPiece& piece, DeltaTable::Change& change) {
    if (!writer_.fits(piece)) flush();
    const std::uint32_t index = writer_.add(piece);
    if (change.pieces++ == 0) {
      change.segment = static_cast<std::uint32_t>(out_.table.segments.size());
      change.piece = index;
    }
    out_.changed += piece.changed;
  }

  void flush() {
    if (writer_.pieces() == 0) return;
    const Bytes segment = writer_.finish();
    out_.segment_bytes += segment.size();
    out_.table.segments.push_back(session_.add(ObjectKind::segment, segment));
  }

 private:
  PackSession& session_;
  WrittenDelta& out_;
  SegmentWriter writer_;
};

/// The change of one pair, once all its pieces are known.
struct PairResult {
  DeltaTable::Change change;
  std::optional<DerivedTensor> derived;  ///< nullopt: stored whole
  std::vector<ObjectId> chunks;          ///< of the task; only where derived
};

}  // namespace

ObjectId write_file(PackSession& session, ByteSpan content) {
  FileObject file;
  file.bytes = content.size();
  for (std::uint64_t i = 0; i < chunk_count(content.size()); ++i) {
    file.chunks.push_back(session.add(ObjectKind::chunk, content.subspan(i * kChunkBytes, chunk_size(content.size(), i))));
  }
  return session.add(ObjectKind::file, file.serialize());
}

ObjectId write_file(PackSession& session, File& file) {
  FileObject object;
  object.bytes = file.info().size;
  Bytes buffer;
  for (std::uint64_t i = 0; i < chunk_count(object.bytes); ++i) {
    buffer.resize(chunk_size(object.bytes, i));
    if (file.read_at(i * kChunkBytes, buffer) != buffer.size()) throw Error(ErrorCode::io, file.path() + ": became shorter while it was read");
    object.chunks.push_back(session.add(ObjectKind::chunk, buffer));
  }
  return session.add(ObjectKind::file, object.serialize());
}

ObjectId write_tensor(PackSession& session, const TensorSource& source, std::size_t index) {
  const TensorInfo& info = source.tensors()[index];
  TensorObject tensor{info.dtype, info.shape, info.bytes, {}};
  Bytes scratch;
  for (std::uint64_t i = 0; i < chunk_count(info.bytes); ++i) {
    const ByteSpan range = range_of(source, index, i * kChunkBytes, chunk_size(info.bytes, i), scratch);
    tensor.chunks.push_back(session.add(ObjectKind::chunk, Bytes(range.begin(), range.end()), chunk_layout(info.dtype)));
  }
  return session.add(ObjectKind::tensor, tensor.serialize());
}

namespace {

/// The change of a tensor that comes from the base, once its bytes were looked at. False if there is none.
bool finish_pair(PackSession& session, const StoredWeights& base, const Pairing& pair, PairResult& result) {
  DeltaTable::Change& change = result.change;
  const std::string& base_name = base.tensors()[*pair.base].name;
  if (base_name != change.name) change.base_name = base_name;
  change.op = DeltaOp::rename;
  if (!result.derived) return !change.base_name.empty();
  const TensorInfo& info = result.derived->info;
  const ObjectId id = object_id(ObjectKind::tensor, TensorObject{info.dtype, info.shape, info.bytes, std::move(result.chunks)}.serialize());
  if (change.pieces == 0 && id == base.tensor_id(*pair.base)) return !change.base_name.empty();
  change.op = result.derived->op;
  change.tensor = id;
  if (change.op == DeltaOp::convert) change.convert = DeltaTable::Convert{info.dtype, info.shape.empty() ? 1 : info.shape.front()};
  if (change.op == DeltaOp::low_rank) {
    const LowRankFactors& factors = result.derived->factors;
    const ObjectId b = write_tensor(session, *factors.source, factors.b), a = write_tensor(session, *factors.source, factors.a);
    change.low_rank = DeltaTable::LowRank{b, a, factors.scale};
  }
  return true;
}

/// Tensors of the base that no tensor of the result comes from or replaces.
void add_removals(const StoredWeights& base, std::vector<bool> taken, DeltaTable& table) {
  for (const DeltaTable::Change& change : table.changes) {
    if (change.op != DeltaOp::add) continue;
    if (const auto replaced = base.find(change.name)) taken[*replaced] = true;
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (taken[i]) continue;
    DeltaTable::Change change;
    change.op = DeltaOp::remove;
    change.name = base.tensors()[i].name;
    table.changes.push_back(std::move(change));
  }
}

std::vector<std::size_t> all_of(const std::vector<Pairing>& pairs) {
  std::vector<std::size_t> places(pairs.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

}  // namespace

WrittenDelta write_delta(PackSession& session, const StoredWeights& base, const TensorSource& task, const std::vector<Pairing>& pairs,
                         unsigned threads, const Progress& progress, const std::map<std::string, LowRankFactors>& low_rank,
                         const ChangeSource* changes, TaskViewer* viewer) {
  WrittenDelta out;
  out.table.base_weights = base.weights_id();
  for (const TensorInfo& info : base.tensors()) out.base_elements += unit_count(info.dtype, info.bytes);

  std::vector<PairResult> results(pairs.size());
  parallel_for(pairs.size(), threads, [&](std::size_t p) {
    results[p].change.name = pairs[p].name;
    const auto factors = low_rank.find(pairs[p].name);
    results[p].derived = choose_derivation(base, task, pairs[p], factors == low_rank.end() ? nullptr : &factors->second, session.profile());
  });
  std::vector<Job> jobs;
  std::uint64_t total = 0, done = 0;
  for (const std::size_t p : viewer != nullptr ? viewer->order() : all_of(pairs)) {
    if (!results[p].derived) continue;
    const std::uint64_t bytes = results[p].derived->info.bytes;
    for (std::uint64_t piece = 0; piece * kPieceBytes < bytes; ++piece) jobs.push_back({p, piece, {}, {}, 0});
    total += bytes;
  }

  const bool wanted = viewer != nullptr && viewer->wants_pieces();
  SegmentFiller filler(session, out);
  ordered_pipeline(
      jobs.size(), threads,
      [&](std::size_t i, Bytes& buffer) {
        const std::size_t p = jobs[i].pair;
        const std::uint64_t offset = jobs[i].piece * kPieceBytes, size = std::min(kPieceBytes, results[p].derived->info.bytes - offset);
        run(jobs[i], {base, *results[p].derived, task, *pairs[p].task, changes, offset, size, wanted}, session.profile(), buffer);
      },
      [&](std::size_t i, const Bytes& buffer) {
        if (wanted) viewer->take(jobs[i].pair, jobs[i].piece * kPieceBytes, buffer);
        PairResult& result = results[jobs[i].pair];
        result.chunks.insert(result.chunks.end(), jobs[i].chunks.begin(), jobs[i].chunks.end());
        if (!jobs[i].encoded.bytes.empty()) filler.add(jobs[i].encoded, result.change);
        done += jobs[i].bytes;
        jobs[i] = Job{};
        if (progress) progress(done, total);
      });
  filler.flush();

  WeightsTable weights;
  std::vector<bool> taken(base.tensors().size(), false);
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    DeltaTable::Change& change = results[p].change;
    if (results[p].derived || !pairs[p].task) {
      taken[*pairs[p].base] = true;
      const bool differs = finish_pair(session, base, pairs[p], results[p]);
      weights.rows.push_back({change.name, is_derived(change.op) ? change.tensor : base.tensor_id(*pairs[p].base)});
      if (!differs) continue;
    } else {
      change.op = DeltaOp::add;
      change.tensor = write_tensor(session, task, *pairs[p].task);
      out.added_bytes += task.tensors()[*pairs[p].task].bytes;
      weights.rows.push_back({change.name, change.tensor});
    }
    out.table.changes.push_back(std::move(change));
  }
  add_removals(base, std::move(taken), out.table);
  out.table.result_weights = object_id(ObjectKind::weights, weights.serialize());
  out.id = session.add(ObjectKind::delta, out.table.serialize());
  return out;
}

}  // namespace dstore
