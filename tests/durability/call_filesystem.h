#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/filesystem.h"

namespace dstore::test {

/// A call that changes what is on the disk, or when.
struct DiskCall {
  enum class Kind { create, write, truncate, sync_file, link, rename, remove, make_directory, sync_directory };
  Kind kind;
  std::string path;  ///< of the new name, for link and rename
};

/// Shows each such call to a handler, one at a time, which may run it, run half of it (of a write) or throw. Everything else
/// goes straight through.
class CallFilesystem : public Filesystem {
 public:
  using Run = std::function<void()>;
  using Handler = std::function<void(const DiskCall& call, const Run& run, const Run& half)>;

  CallFilesystem(Filesystem& below, Handler handler) : below_(below), handler_(std::move(handler)) {}

  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override {
    std::unique_ptr<File> file;
    const auto run = [&] { file = below_.open(path, mode, permissions); };
    const bool creates = mode == OpenMode::create_new || (mode == OpenMode::open_or_create && !below_.stat(path, false));
    creates ? handle({DiskCall::Kind::create, path}, run) : run();
    return file ? std::make_unique<CallFile>(*this, std::move(file)) : nullptr;
  }
  std::optional<FileInfo> stat(const std::string& path, bool follow) override { return below_.stat(path, follow); }
  void rename(const std::string& from, const std::string& to) override {
    handle({DiskCall::Kind::rename, to}, [&] { below_.rename(from, to); });
  }
  bool link(const std::string& from, const std::string& to) override {
    bool made = false;
    handle({DiskCall::Kind::link, to}, [&] { made = below_.link(from, to); });
    return made;
  }
  void remove(const std::string& path) override {
    handle({DiskCall::Kind::remove, path}, [&] { below_.remove(path); });
  }
  bool make_directory(const std::string& path, std::uint32_t permissions) override {
    bool made = false;
    handle({DiskCall::Kind::make_directory, path}, [&] { made = below_.make_directory(path, permissions); });
    return made;
  }
  void sync_directory(const std::string& path) override {
    handle({DiskCall::Kind::sync_directory, path}, [&] { below_.sync_directory(path); });
  }
  std::vector<std::string> list(const std::string& path) override { return below_.list(path); }
  std::uint64_t free_space(const std::string& path) override { return below_.free_space(path); }

 private:
  class CallFile : public File {
   public:
    CallFile(CallFilesystem& fs, std::unique_ptr<File> below) : fs_(fs), below_(std::move(below)) {}
    std::size_t read_at(std::uint64_t offset, MutableByteSpan out) override { return below_->read_at(offset, out); }
    void write_at(std::uint64_t offset, ByteSpan bytes) override {
      fs_.handle(
          {DiskCall::Kind::write, path()}, [&] { below_->write_at(offset, bytes); },
          [&] { below_->write_at(offset, bytes.first(bytes.size() / 2)); });
    }
    void truncate(std::uint64_t size) override {
      fs_.handle({DiskCall::Kind::truncate, path()}, [&] { below_->truncate(size); });
    }
    void sync() override {
      fs_.handle({DiskCall::Kind::sync_file, path()}, [&] { below_->sync(); });
    }
    FileInfo info() override { return below_->info(); }
    bool try_lock(LockMode mode, ByteRange range) override { return below_->try_lock(mode, range); }
    void unlock(ByteRange range) override { below_->unlock(range); }
    bool locked_elsewhere(ByteRange range) override { return below_->locked_elsewhere(range); }
    const std::string& path() const override { return below_->path(); }

   private:
    CallFilesystem& fs_;
    std::unique_ptr<File> below_;
  };

  void handle(const DiskCall& call, const Run& run, const Run& half = [] {}) {
    const std::lock_guard lock(mutex_);
    handler_(call, run, half);
  }

  Filesystem& below_;
  Handler handler_;
  std::mutex mutex_;
};

}  // namespace dstore::test
