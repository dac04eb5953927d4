#include "repo/write_delta.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// One unit of work: a piece of a tensor that base and task both have.
struct Job {
  std::size_t pair = 0;
  std::uint64_t piece = 0;
  // Results:
  EncodedPiece encoded;
  std::vector<ObjectId> chunks;  ///< of the task
};

/// The bytes of a range, mapped or read into `scratch`.
ByteSpan range_of(const TensorSource& source, std::size_t index, std::uint64_t offset, std::uint64_t size, Bytes& scratch) {
  if (const auto view = source.view(index); !view.empty()) return view.subspan(offset, size);
  scratch.resize(size);
  source.read(index, offset, scratch);
  return scratch;
}

/// Faults in the encoder or in memory must not become a commit.
void prove(const EncodedPiece& piece, std::uint64_t first, ByteSpan base, ByteSpan task, const std::string& name) {
  SegmentWriter writer;
  writer.add(piece);
  const Bytes segment = writer.finish();
  Bytes rebuilt(base.begin(), base.end());
  SegmentReader(segment, "new segment").apply(0, first, rebuilt, name);
  if (!std::equal(rebuilt.begin(), rebuilt.end(), task.begin(), task.end())) {
    throw Error(ErrorCode::corrupt, "tensor " + printable(name) + ": its encoded difference does not give it back; nothing was stored");
  }
}

void run(Job& job, const StoredWeights& base, const TensorSource& task, const Pairing& pair, Profile profile) {
  const TensorInfo& info = task.tensors()[*pair.task];
  const std::uint64_t offset = job.piece * kPieceBytes;
  const std::uint64_t size = std::min(kPieceBytes, info.bytes - offset);
  Bytes base_buffer, task_buffer;
  const ByteSpan before = range_of(base, *pair.base, offset, size, base_buffer);
  const ByteSpan after = range_of(task, *pair.task, offset, size, task_buffer);
  const std::vector<ObjectId>& base_chunks = base.chunks(*pair.base);
  for (std::uint64_t at = 0; at < size; at += kChunkBytes) {
    const std::uint64_t length = std::min(kChunkBytes, size - at);
    const bool same = std::memcmp(before.data() + at, after.data() + at, length) == 0;
    job.chunks.push_back(same && !base_chunks.empty() ? base_chunks[(offset + at) / kChunkBytes]
                                                      : object_id(ObjectKind::chunk, after.subspan(at, length)));
  }
  const std::uint64_t first = offset / unit_type(info.dtype).bytes;
  job.encoded = encode_piece(info.dtype, first, before, after, profile);
  if (!job.encoded.bytes.empty()) prove(job.encoded, first, before, after, info.name);
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

/// The change of one pair, once all its pieces are known; nullopt-like `pieces == 0` and equal names mean "unchanged".
struct PairResult {
  DeltaTable::Change change;
  std::vector<ObjectId> chunks;
  std::uint64_t jobs_left = 0;
};

bool comparable(const StoredWeights& base, const TensorSource& task, const Pairing& pair) {
  if (!pair.base || !pair.task) return false;
  const TensorInfo& a = base.tensors()[*pair.base];
  const TensorInfo& b = task.tensors()[*pair.task];
  return a.dtype == b.dtype && a.shape == b.shape;
}

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

WrittenDelta write_delta(PackSession& session, const StoredWeights& base, const TensorSource& task,
                         const std::vector<Pairing>& pairs, unsigned threads, const Progress& progress) {
  if (threads == 0) threads = available_threads();
  WrittenDelta out;
  out.table.base_weights = base.weights_id();
  std::vector<bool> taken(base.tensors().size(), false);
  for (std::size_t i = 0; i < base.tensors().size(); ++i) out.base_elements += unit_count(base.tensors()[i].dtype, base.tensors()[i].bytes);
  for (const Pairing& pair : pairs) {
    if (pair.base) taken[*pair.base] = true;
  }

  std::vector<PairResult> results(pairs.size());
  std::vector<Job> jobs;
  std::uint64_t total = 0, done = 0;
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    results[p].change.name = pairs[p].name;
    if (!comparable(base, task, pairs[p])) continue;
    const std::uint64_t bytes = task.tensors()[*pairs[p].task].bytes;
    results[p].jobs_left = (bytes + kPieceBytes - 1) / kPieceBytes;
    for (std::uint64_t piece = 0; piece < results[p].jobs_left; ++piece) jobs.push_back({p, piece, {}, {}});
    total += bytes;
  }

  SegmentFiller filler(session, out);
  const std::uint64_t window_bytes = std::uint64_t{threads} * 2 * kPieceBytes;
  for (std::size_t first = 0; first < jobs.size();) {
    std::size_t last = first;
    std::uint64_t bytes = 0;
    while (last < jobs.size() && (last == first || bytes < window_bytes)) {
      bytes += std::min(kPieceBytes, task.tensors()[*pairs[jobs[last].pair].task].bytes - jobs[last].piece * kPieceBytes);
      ++last;
    }
    parallel_for(last - first, threads, [&](std::size_t i) { run(jobs[first + i], base, task, pairs[jobs[first + i].pair], session.profile()); });
    for (; first < last; ++first) {
      Job& job = jobs[first];
      PairResult& result = results[job.pair];
      result.chunks.insert(result.chunks.end(), job.chunks.begin(), job.chunks.end());
      if (!job.encoded.bytes.empty()) filler.add(job.encoded, result.change);
      job = Job{};
    }
    done += bytes;
    if (progress) progress(done, total);
  }
  filler.flush();

  WeightsTable weights;
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    DeltaTable::Change& change = results[p].change;
    const std::string base_name = pairs[p].base ? base.tensors()[*pairs[p].base].name : std::string();
    const bool whole = pairs[p].task && !comparable(base, task, pairs[p]);
    if (whole) {
      change.op = DeltaOp::add;
      change.tensor = write_tensor(session, task, *pairs[p].task);
      out.added_bytes += task.tensors()[*pairs[p].task].bytes;
      // A replaced tensor under another name leaves the old name behind.
      if (pairs[p].base && base_name != change.name) taken[*pairs[p].base] = false;
      weights.rows.push_back({change.name, change.tensor});
    } else if (change.pieces > 0) {
      const TensorInfo& info = task.tensors()[*pairs[p].task];
      change.op = DeltaOp::modify;
      change.tensor = object_id(ObjectKind::tensor, TensorObject{info.dtype, info.shape, info.bytes, std::move(results[p].chunks)}.serialize());
      if (base_name != change.name) change.base_name = base_name;
      weights.rows.push_back({change.name, change.tensor});
    } else {
      weights.rows.push_back({change.name, base.tensor_id(*pairs[p].base)});
      if (base_name == change.name) continue;
      change.op = DeltaOp::rename;
      change.base_name = base_name;
    }
    out.table.changes.push_back(std::move(change));
  }
  for (const DeltaTable::Change& change : out.table.changes) {
    if (change.op != DeltaOp::add) continue;
    if (const auto replaced = base.find(change.name)) taken[*replaced] = true;
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (taken[i]) continue;
    DeltaTable::Change change;
    change.op = DeltaOp::remove;
    change.name = base.tensors()[i].name;
    out.table.changes.push_back(std::move(change));
  }
  out.table.result_weights = object_id(ObjectKind::weights, weights.serialize());
  out.id = session.add(ObjectKind::delta, out.table.serialize());
  return out;
}

}  // namespace dstore
