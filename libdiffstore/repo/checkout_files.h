#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "repo/checkout_record.h"
#include "repo/clone_sources.h"
#include "repo/model_files.h"
#include "repo/write_delta.h"

namespace dstore {

/// Files on their way to the disk. Syncing them one after the other as they are written would wait for the disk once per
/// file; here all are written first. Few files stay open at once; one thread.
class WrittenFiles {
 public:
  void add(const std::string& path, std::unique_ptr<File> file, const ObjectId& sha256);
  /// Syncs what is left and returns all rows by path.
  std::map<std::string, CheckoutRecord::FileRow> finish();

 private:
  void sync_first();

  struct Pending {
    std::string path;
    std::unique_ptr<File> file;
    ObjectId sha256;
  };
  std::deque<Pending> pending_;
  std::map<std::string, CheckoutRecord::FileRow> rows_;
};

/// The files of a model as a checkout writes them, streamed.
class FileSet {
 public:
  FileSet(const Repository& repository, const ModelFiles& files);

  const std::vector<std::string>& paths() const { return paths_; }
  std::uint64_t total_bytes() const { return total_; }
  std::uint64_t bytes(const std::string& path) const { return sizes_.at(path); }
  /// The content's SHA-256 where it is known without producing a shard.
  std::optional<ObjectId> known_digest(const std::string& path) const;
  /// Makes the file `target` (which must not exist) with the content of `path`, verified; durable after out.finish(). It
  /// shares blocks with one of `clones` where that is possible.
  void write(Filesystem& fs, const std::string& path, const std::string& target, unsigned threads, const Progress& progress,
             WrittenFiles& out, CloneSources& clones) const;

 private:
  void read(const PlainFile& file, const std::function<void(ByteSpan)>& visit) const;

  const Repository& repository_;
  const ModelFiles& files_;
  std::map<std::string, const ShardFile*> shards_;
  std::map<std::string, std::uint64_t> sizes_;
  std::vector<std::string> paths_;
  std::uint64_t total_ = 0;
  mutable std::mutex progress_mutex_;
  mutable std::uint64_t done_ = 0;
};

}  // namespace dstore
