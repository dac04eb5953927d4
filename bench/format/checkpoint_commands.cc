#include <cstring>

#include "checkpoint_pair.h"
#include "commands.h"
#include "dstore/error.h"
#include "measure.h"

namespace dstore::bench {
namespace {

Json sizes_of(const CheckpointPair& pair, const EncodedDelta& delta) {
  Json result;
  result.set("raw_bytes", Json(static_cast<std::int64_t>(pair.bytes())));
  result.set("units", Json(static_cast<std::int64_t>(pair.units())));
  result.set("changed", Json(static_cast<std::int64_t>(delta.changed)));
  result.set("segment_bytes", Json(static_cast<std::int64_t>(delta.segment_bytes())));
  result.set("segments", Json(static_cast<std::int64_t>(delta.segments.size())));
  result.set("pieces", Json(static_cast<std::int64_t>(delta.uses.size())));
  return result;
}

void check_exact(const CheckpointPair& pair, ByteSpan buffer) {
  for (const TensorPair& tensor : pair.tensors()) {
    if (std::memcmp(buffer.data() + tensor.offset, tensor.task.data(), tensor.task.size()) != 0) {
      throw Error(ErrorCode::corrupt, "tensor " + tensor.name + " is not exact");
    }
  }
}

}  // namespace

Json run_profiles(const Arguments&) {
  Json::Array names;
  for (const ProfileName& row : profiles()) names.emplace_back(row.name);
  Json result;
  result.set("profiles", Json(names));
  return result;
}

Json run_encode(const Arguments& arguments) {
  const CheckpointPair pair(arguments[0], arguments[1]);
  const Profile profile = find_profile(arguments[2]);
  Rounds rounds;
  EncodedDelta delta;
  for (int round = 0; round < std::stoi(arguments[3]); ++round) {
    rounds.time("encode", [&] { delta = encode(pair.tensors(), profile); });
  }
  Json result = sizes_of(pair, delta);
  rounds.into(result);
  return result;
}

Json run_apply(const Arguments& arguments) {
  const CheckpointPair pair(arguments[0], arguments[1]);
  const EncodedDelta delta = encode(pair.tensors(), find_profile(arguments[2]));
  Rounds rounds;
  Bytes buffer(pair.bytes());
  const auto copy_base = [&] {
    for (const TensorPair& tensor : pair.tensors()) std::memcpy(buffer.data() + tensor.offset, tensor.base.data(), tensor.base.size());
  };
  copy_base();
  for (int round = 0; round < std::stoi(arguments[3]); ++round) {
    for (const unsigned threads : {1u, 2u}) {
      if (threads == 1) rounds.time("memcpy", copy_base);
      else copy_base();
      rounds.time("apply" + std::to_string(threads), [&] { apply(delta, pair.tensors(), buffer, threads); }, true);
      check_exact(pair, buffer);
    }
  }
  Json result = sizes_of(pair, delta);
  rounds.into(result);
  return result;
}

/// Piece by piece, as a commit and a checkout work: no more than one segment and one piece of a tensor is held.
Json run_memory(const Arguments& arguments) {
  const CheckpointPair pair(arguments[0], arguments[1]);
  const Profile profile = find_profile(arguments[2]);
  Json result;
  const AnonymousPeak peak;
  for (const TensorPair& whole : pair.tensors()) {
    for (std::size_t at = 0; at < whole.base.size(); at += kPieceBytes) {
      const std::size_t size = std::min<std::size_t>(kPieceBytes, whole.base.size() - at);
      const std::uint64_t first = unit_count(whole.dtype, at);
      const EncodedPiece piece = encode_piece(whole.dtype, first, whole.base.subspan(at, size), whole.task.subspan(at, size), profile);
      if (piece.bytes.empty()) continue;
      SegmentWriter writer;
      writer.add(piece);
      const Bytes segment = writer.finish();
      Bytes buffer(whole.base.begin() + static_cast<std::ptrdiff_t>(at), whole.base.begin() + static_cast<std::ptrdiff_t>(at + size));
      SegmentReader(segment, "bench").apply(0, first, buffer, whole.name);
      if (std::memcmp(buffer.data(), whole.task.data() + at, size) != 0) {
        throw Error(ErrorCode::corrupt, "tensor " + whole.name + " is not exact");
      }
    }
  }
  result.set("anonymous_peak", Json(peak.bytes()));
  return result;
}

}  // namespace dstore::bench
