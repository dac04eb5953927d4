#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "delta/element.h"
#include "delta/profile.h"
#include "dstore/tensor.h"

namespace dstore {

/// Raw tensor bytes that one piece covers: piece i of a tensor is its bytes [i * 16 MiB, (i + 1) * 16 MiB).
inline constexpr std::uint64_t kPieceBytes = 16u << 20;
/// Writers start a new segment before this size; readers refuse more than kMaxSegmentBytes (one incompressible piece
/// is a little larger than kPieceBytes).
inline constexpr std::uint64_t kSegmentTarget = 16u << 20;
inline constexpr std::uint64_t kMaxSegmentBytes = 17u << 20;

/// Number of units (see element.h) in a full piece of that dtype.
inline std::uint64_t piece_units(DType dtype) { return kPieceBytes / unit_type(dtype).bytes; }

/// Units that differ. `base` and `task` are equally long whole units. NaN payloads and -0 count: bits are compared.
std::uint64_t count_changed(DType dtype, ByteSpan base, ByteSpan task);

/// The difference of one piece. `bytes` is empty if nothing changed: such a piece is not stored.
struct EncodedPiece {
  Bytes bytes;
  std::uint64_t changed = 0;
};

/// The encoding is the smallest (Profile::compact) or one that is read fastest (Profile::fast). Encodes piece
/// `first / piece_units(dtype)` of a tensor: `base` and `task` are its bytes (1 unit .. kPieceBytes), `first` the unit they start at, a multiple of piece_units(dtype). A function of its arguments alone; thread-safe.
/// Error{invalid_argument} if the spans or `first` do not fit the above.
EncodedPiece encode_piece(DType dtype, std::uint64_t first, ByteSpan base, ByteSpan task, Profile profile = Profile::compact);

/// Changed units in increasing order (positions count from the tensor's start) with old and new values, unit by unit.
struct Changes {
  std::vector<std::uint64_t> positions;
  Bytes old_values;
  Bytes new_values;
};

/// Writes the new values into units of `unit` bytes that start at unit `first` of the tensor.
void put_changes(const Changes& changes, std::uint64_t first, std::size_t unit, MutableByteSpan target);

/// The same from the changes alone, in time proportional to them: the same bytes as from base and task. The base is looked at where
/// a code covers unchanged units too, and its old values are taken from `changes`.
/// Error{invalid_argument} unless positions increase within the piece and every new value is another one.
EncodedPiece encode_piece(DType dtype, std::uint64_t first, ByteSpan base, const Changes& changes, Profile profile = Profile::compact);

/// Collects pieces into a segment object. The order of add() is the pieces' index in the segment.
class SegmentWriter {
 public:
  SegmentWriter();
  /// Whether a piece of that size still fits (always true for the first one). Checked by add().
  bool fits(const EncodedPiece& piece) const;
  /// Returns the piece's index.
  std::uint32_t add(const EncodedPiece& piece);
  std::uint32_t pieces() const { return pieces_; }
  std::size_t size() const { return out_.size(); }
  /// The segment; the writer is then empty and can be used again. At least one piece was added.
  Bytes finish();

 private:
  Writer out_;
  std::uint32_t pieces_ = 0;
};

/// What a piece says about itself. Counts are in units, `first` counts from the tensor's start.
struct PieceInfo {
  DType dtype = DType::u8;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t changed = 0;
  std::uint64_t block = 0;       ///< units in a block (a power of two; the last block may be shorter)
  std::uint64_t bytes = 0;       ///< encoded size
};

/// Reads a segment. Construction checks the whole structure and the segment's checksum; bytes are viewed, not copied,
/// and must outlive the reader. Thread-safe after construction. Whatever the bytes: Error{corrupt|unsupported} that starts
/// with `what`, names `tensor` where given, or a result that its checksums confirm.
class SegmentReader {
 public:
  SegmentReader(ByteSpan segment, std::string_view what);

  const std::vector<PieceInfo>& pieces() const { return info_; }

  /// Turns base into task in place for the units [first, first + target.size() / unit) of the tensor that piece
  /// `index` covers; units outside the piece are left alone. Where the range cuts the piece, it must do so between
  /// blocks (a block may be as long as its piece; whole pieces always will do). Verifies old and new values of each block before writing it:
  /// "base values differ (wrong base?)". If it throws, blocks before the bad one may already be task.
  void apply(std::size_t index, std::uint64_t first, MutableByteSpan target, std::string_view tensor = {}) const;

  /// The changes of that piece within the range, as apply() would make them; `base` is only read.
  Changes changes(std::size_t index, std::uint64_t first, ByteSpan base, std::string_view tensor = {}) const;

 private:
  struct Piece {
    ByteSpan bytes;            ///< whole piece
    unsigned table_count = 0;  ///< Huffman tables of the context coder
    unsigned drift_log2 = 0;   ///< 0: none
    std::size_t tables = 0;    ///< offset of its model
    std::size_t blocks = 0;    ///< offset of the block sizes
  };
  template <class Base, class Take>
  void for_each_block(std::size_t index, std::uint64_t first, Base base, std::string_view tensor, Take take) const;

  std::string what_;
  std::vector<PieceInfo> info_;
  std::vector<Piece> pieces_;
};

}  // namespace dstore
