#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "odb/link_file.h"

namespace dstore {

/// The files outside a store that it reads chunks from: those of DIR/links/, read at the first use, and those that were
/// attached for this process alone. Every chunk is hashed on every read. Thread-safe.
class LinkedFiles {
 public:
  LinkedFiles(Filesystem& fs, const std::string& dir);
  ~LinkedFiles();

  /// One link as it lies in links/; `problem` where it cannot be used.
  struct Entry {
    std::string name;  ///< of the file in links/; "" for an attached one
    std::shared_ptr<const LinkFile> link;
    std::string problem;
  };

  /// A place for the chunk, without looking at the file.
  std::optional<LinkFile::Row> find(const ObjectId& id) const;
  /// Rows whose id is in [first, last], at most `limit`, sorted.
  std::vector<LinkFile::Row> range(const ObjectId& first, const ObjectId& last, std::size_t limit) const;
  /// Fills `out` with the chunk's bytes, proved. False if no link has it. Error{corrupt} or {not_found}, naming the file,
  /// if every linked copy is unusable.
  bool read(const ObjectId& id, MutableByteSpan out) const;
  /// One row of one link, proved.
  void check(const LinkFile& link, const LinkFile::Row& row) const;

  /// Looks for links that came or went since. False if there are none.
  bool refresh();
  std::vector<Entry> entries() const;
  /// Durable on return; replaces older links to the same content, where the digest is known.
  void add(const LinkFile& link);
  /// For this process alone.
  void attach(LinkFile link);
  /// Moves a link aside, into DIR/quarantine/; returns the path that it has now.
  std::string quarantine(const std::string& name);
  /// Removes the links of which drop(link) holds; returns their names.
  std::vector<std::string> remove(const std::function<bool(const LinkFile&)>& drop);

 private:
  struct Loaded;
  using Snapshot = std::vector<std::shared_ptr<Loaded>>;

  std::shared_ptr<const Snapshot> snapshot() const;
  std::shared_ptr<Loaded> load(const std::string& name) const;
  void read_from(Loaded& loaded, const LinkFile::Row& row, MutableByteSpan out) const;
  std::string path_of(const std::string& name) const { return join_path(dir_, name); }

  Filesystem& fs_;
  const std::string dir_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Snapshot> snapshot_;  ///< null: not read yet
  Snapshot attached_;
};

}  // namespace dstore
