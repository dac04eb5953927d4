#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "dstore/error.h"
#include "odb/ref_name.h"

namespace dstore {

/// `forgotten`: no ref, but the mark that a commit was taken down (spec/refs.md, "Forgotten commits").
enum class RefKind { branch, tag, forgotten };

/// The name under which the forgetting of a commit is recorded; other kinds of refs cannot have such a name.
RefName forgotten_name(const ObjectId& commit);
/// Whether a name is reserved for such records.
bool is_forgotten_name(const RefName& name);

/// One step of a ref's history (spec/refs.md, "Entry"). Ids that are none() are "" in the payload.
struct RefEntry {
  ObjectId repository;
  RefKind kind = RefKind::branch;
  RefName ref;
  std::uint64_t sequence = 1;  ///< 1, 2, 3, ...
  ObjectId previous;           ///< digest() of the entry before; none for the first
  ObjectId old_commit;         ///< none: the ref did not exist
  ObjectId new_commit;         ///< none: deleted
  std::int64_t time = 0;       ///< seconds since 1970, UTC, as the writer claims
  std::string signature;       ///< armoured SSH signature over payload(), or "" (unsigned). Not checked in this layer.

  bool is_deletion() const { return new_commit.is_none(); }
  /// Canonical JSON: the bytes that are signed and chained.
  std::string payload() const;
  /// SHA-256 of payload().
  ObjectId digest() const;
  /// The file's content: payload, line feed, signature.
  std::string serialize() const;
  /// Error{corrupt} naming `what` unless `text` is exactly what serialize() writes.
  static RefEntry parse(std::string_view text, std::string_view what);

  friend bool operator==(const RefEntry&, const RefEntry&) = default;
};

/// The entry that moves `ref` to `new_commit` after `head` (nullopt: the ref has no history yet). Unsigned.
RefEntry next_entry(const std::optional<RefEntry>& head, const ObjectId& repository, const RefName& ref, RefKind kind,
                    const ObjectId& new_commit, std::int64_t time);

/// The last entry of a ref, without its signature, and the file that it was read from.
struct KnownHead {
  RefEntry entry;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t inode = 0;
};

/// Remembers between commands about where long histories end, so that they need not be listed, and the heads of many refs, so
/// that listing them need not read them. Only a hint: RefLog believes the files alone. Thread-safe.
class RefHints {
 public:
  virtual ~RefHints() = default;
  virtual std::vector<KnownHead> heads() { return {}; }
  /// Instead of those of before.
  virtual void put_heads(const std::vector<KnownHead>& heads) { (void)heads; }
  /// A sequence number that had a file once; 0: not known.
  virtual std::uint64_t find(const RefName& ref) = 0;
  virtual void put(const RefName& ref, std::uint64_t sequence) = 0;
};

/// The present state of many refs.
struct RefHeads {
  std::vector<RefEntry> heads;    ///< of refs that are not deleted, sorted by name
  std::vector<Error> damaged;     ///< one for each ref that cannot be read; names its file or its name
};

/// A folder of refs: DIR/<encoded name>/<sequence, 10 digits>. The same class reads and writes a repository's own
/// refs/, the mirror of a remote's and a directory remote. Making an entry's file is the commit point: it appears whole
/// or not at all, and once. Stateless, so thread-safe and safe beside other processes.
class RefLog {
 public:
  /// Entries of another repository are Error{corrupt} where `repository` is given. DIR need not exist (no refs). `hints` may
  /// be null; else they must outlive it.
  RefLog(Filesystem& fs, std::string dir, std::optional<ObjectId> repository = std::nullopt, RefHints* hints = nullptr);

  /// Every ref with a history, deleted and damaged ones included; sorted.
  std::vector<RefName> list() const;
  /// The last entry (perhaps a deletion); nullopt if the ref never existed. Checks the last two entries, and that no
  /// sequence number is missing: of a long history with a hint, only of those after the hint. Error{corrupt} if the file is damaged.
  std::optional<RefEntry> head(const RefName& ref) const;
  /// The head of every branch and tag. A damaged ref does not hide the others.
  RefHeads all_heads() const;
  /// all_heads() without signatures, for showing: a last entry that was read before is not read again while its file is as it
  /// was and no number follows. What it names and who signed it is not to be decided by it.
  RefHeads listed_heads() const;
  /// all_heads().heads; Error if one is damaged.
  std::vector<RefEntry> heads() const;
  /// The head of every record of a forgotten commit that is not withdrawn.
  std::vector<RefEntry> forgotten() const;
  /// The whole history from sequence 1, every link checked.
  std::vector<RefEntry> entries(const RefName& ref) const;
  /// Every number that has a file, with its entry where that can be read.
  std::map<std::uint64_t, std::optional<RefEntry>> salvage(const RefName& ref) const;
  /// For repairs: the file of this entry, which the caller has proved, takes the place of a damaged or missing one. What was
  /// there gets the second name `aside` before. Durable.
  void restore(const RefEntry& entry, const std::string& aside);
  /// Durable on true. False: somebody else made that sequence number first (read head() and try again), unless it is
  /// this very entry: then true. Error{invalid_argument} if it does not follow the present head.
  bool append(const RefEntry& entry);

 private:
  /// Of the folders of refs, or of records of forgotten commits.
  std::vector<RefName> names(bool forgotten) const;
  RefHeads heads_of(bool forgotten) const;
  /// Whether that file is still the last one of its ref.
  bool is_head(const KnownHead& known) const;
  std::vector<std::uint64_t> present(const RefName& ref) const;    ///< numbers that have a file, sorted
  std::vector<std::uint64_t> sequences(const RefName& ref) const;  ///< the same; Error{corrupt} if one is missing
  RefEntry read(const RefName& ref, std::uint64_t sequence) const;
  std::string entry_path(const RefName& ref, std::uint64_t sequence) const;
  /// The last sequence number, 0 if there is none: from the hint on, or by listing the folder. Error{corrupt} as sequences().
  std::uint64_t last_sequence(const RefName& ref) const;
  /// The number where the files end that follow the hint; nullopt where listing must decide.
  std::optional<std::uint64_t> last_after_hint(const RefName& ref) const;

  Filesystem& fs_;
  std::string dir_;
  std::optional<ObjectId> repository_;
  RefHints* hints_;
};

}  // namespace dstore
