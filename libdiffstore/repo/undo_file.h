#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "base/sha256.h"

namespace dstore {

/// Bytes of an old file that a change of its folder overwrites: runs of a range, with what stood there (spec/apply.md).
struct UndoPatch {
  std::uint64_t offset = 0;  ///< of the range in the old file
  std::uint64_t size = 0;    ///< at most kUndoRange
  std::uint64_t old_check = 0;
  std::uint64_t new_check = 0;
  ByteSpan runs;             ///< varints: gap, length, gap, length, ...
  ByteSpan old_bytes;        ///< of all runs, one after the other

  /// Puts the old bytes back into the range; Error{corrupt} where the runs do not fit. With `check_present`, first
  /// Error{conflict} unless the runs hold what the change wrote.
  void restore(MutableByteSpan range, bool check_present, std::string_view what) const;
};

inline constexpr std::uint64_t kUndoRange = 16u << 20;

/// The rest of an old file that is gone or was written anew: its bytes, or where a new file has them.
struct UndoPart {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  ByteSpan bytes;         ///< empty: to be copied
  std::string from;       ///< new file
  std::uint64_t from_offset = 0;
};

/// How one file of the folder comes back.
struct UndoneFile {
  std::string now;  ///< the file that is patched in place, under its new path; empty: the old file is made anew of its parts
  std::vector<UndoPart> parts;
  std::vector<UndoPatch> patches;
};

/// What a change of a checked-out folder needs to be taken back, without the store (spec/apply.md, "Undo file").
struct UndoHead {
  std::string record;  ///< `.dstore-checkout` before the change
  std::string commit;  ///< hex; of the record after it
  std::map<std::string, std::string> files;  ///< old path → new path of a file patched in place, "" of one that is made anew
};

/// Writes one, under a temporary name; discarded unless finish() was called. One thread. Files are numbered in the order of
/// `head.files`.
class UndoWriter {
 public:
  UndoWriter(Filesystem& fs, std::string path, const UndoHead& head);
  ~UndoWriter();
  UndoWriter(const UndoWriter&) = delete;
  UndoWriter& operator=(const UndoWriter&) = delete;

  /// Equally long ranges of the file before and after; notes where they differ. Returns the number of bytes that do.
  std::uint64_t patch(const std::string& file, std::uint64_t offset, ByteSpan before, ByteSpan after);
  void bytes(const std::string& file, std::uint64_t offset, ByteSpan bytes);
  void copy(const std::string& file, std::uint64_t offset, std::uint64_t size, const std::string& from, std::uint64_t from_offset);
  /// Durable but for its name. Returns its size.
  std::uint64_t finish();
  const std::string& path() const { return path_; }

 private:
  std::uint32_t number(const std::string& file) const;
  void put(ByteSpan bytes);
  void flush();

  Filesystem& fs_;
  std::string path_;
  std::map<std::string, std::uint32_t> numbers_;
  std::unique_ptr<File> file_;
  Sha256 hash_;
  Bytes buffer_;
  std::uint64_t written_ = 0;
  bool finished_ = false;
};

/// One that was read; views the mapped file. Error{corrupt} unless its digest is right and it keeps the rules.
class UndoFile {
 public:
  UndoFile(Filesystem& fs, const std::string& path);

  const UndoHead& head() const { return head_; }
  const std::map<std::string, UndoneFile>& files() const { return files_; }  ///< by old path
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Mapping mapping_;
  UndoHead head_;
  std::map<std::string, UndoneFile> files_;
};

/// Writes what differs between `before` (what the file has at `offset`) and `after`: whole pages of 4096 bytes of the file, cut to
/// the range, neighbours in one call.
void write_changed_pages(File& file, std::uint64_t offset, ByteSpan before, ByteSpan after);

}  // namespace dstore
