#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "odb/object_codec.h"

namespace dstore {

/// One record of a pack: a row of its trailer (spec/pack.md, "Trailer").
struct PackEntry {
  ObjectId id;
  ObjectKind kind = ObjectKind::chunk;
  Codec codec = Codec::none;
  std::uint64_t raw_size = 0;
  std::uint64_t stored_size = 0;
  std::uint64_t checksum = 0;
  std::uint64_t offset = 0;  ///< of the record's header in the file

  friend bool operator==(const PackEntry&, const PackEntry&) = default;
};

/// "<64 hex>.pack" and back (nullopt for any other file name).
std::string pack_file_name(const ObjectId& name);
std::optional<ObjectId> parse_pack_file_name(std::string_view file_name);

/// Appends records to a temporary file; finish() adds the trailer. One thread.
class PackWriter {
 public:
  /// The file is made in `temporary_dir` with a random name that starts with `owner` (a lease's name); the destructor
  /// removes it.
  PackWriter(Filesystem& fs, const std::string& temporary_dir, std::string_view owner = "");
  ~PackWriter();
  PackWriter(const PackWriter&) = delete;
  PackWriter& operator=(const PackWriter&) = delete;

  void append(ObjectKind kind, const ObjectId& id, std::uint64_t raw_size, Codec codec, ByteSpan stored);
  /// Of the file so far.
  std::uint64_t size() const { return size_; }
  const std::vector<PackEntry>& entries() const { return entries_; }

  /// The name that the pack would get if it ended here.
  ObjectId name() const;
  /// Writes the trailer and syncs the file. Returns the pack's name.
  ObjectId finish();
  /// After finish(): makes the file appear in `packs_dir` under its name. The caller syncs that folder. A whole pack of
  /// that name is left as it is; a damaged one (same trailer, so same content) is replaced.
  void publish(const std::string& packs_dir);

 private:
  void discard();
  Bytes trailer() const;  ///< without its digest

  Filesystem& fs_;
  std::string temporary_;
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
  std::uint64_t on_its_way_ = 0;  ///< bytes handed to write-back
  std::uint32_t version_ = 1;  ///< the lowest that has the codecs used
  std::vector<PackEntry> entries_;
  ObjectId name_;
};

/// The trailer, checked: digest equal to `name`, rows within limits, contiguous, no id twice. Error{corrupt}.
std::vector<PackEntry> read_trailer(File& file, const ObjectId& name);

/// The records found by walking from the start as far as the framing holds. Needs no trailer, so it also reads a pack
/// whose trailer is damaged; what it finds is unproved until read.
std::vector<PackEntry> scan_records(File& file);

/// Every whole record of a pack, however damaged: looks for records behind damage too. All that it returns was read and
/// proved.
std::vector<PackEntry> salvage_records(File& file);

/// The stored bytes of one record: its header must equal `entry`, the checksum must fit. Error{corrupt}.
Bytes read_record(File& file, const PackEntry& entry);

/// What proves the bytes of an object that is read.
enum class Proof {
  id,        ///< the record's checksum, and the SHA-256 that the id is
  checksum,  ///< the record's checksum alone: for a caller that proves by a digest what it makes of them
};

/// As read_record, decoded into `out` (of size raw_size) and, with Proof::id, hashed to the id. Error{corrupt}.
void read_object(File& file, const PackEntry& entry, MutableByteSpan out, Proof proof = Proof::id);
/// The same into a new buffer, which is made only after the record was seen to be there.
Bytes read_object(File& file, const PackEntry& entry);

/// "chunk 0123…, in PATH at byte N": for messages.
std::string describe(const PackEntry& entry, const std::string& path);

}  // namespace dstore
