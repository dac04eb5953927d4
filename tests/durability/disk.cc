#include "disk.h"

#include <algorithm>
#include <set>

#include "dstore/error.h"

namespace dstore::test {
namespace {

void apply(Bytes& content, std::uint64_t offset, ByteSpan bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

bool flip(std::mt19937& random) { return (random() & 1) != 0; }

}  // namespace

Disk::Disk() {
  auto root = std::make_shared<Inode>();
  root->type = FileInfo::Type::directory;
  root->mode = 0755;
  inodes_[kRoot] = std::move(root);
}

Disk::Inode& Disk::change(Number number) {
  auto& held = inodes_.at(number);
  auto copy = std::make_shared<Inode>(*held);
  copy->mtime = static_cast<std::int64_t>(++steps_);
  Inode& changed = *copy;
  held = std::move(copy);
  return changed;
}

Disk::Number Disk::find(const std::string& path) const {
  Number at = kRoot;
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    if (slash > from) {
      const Inode& folder = inode(at);
      const auto found = folder.entries.find(path.substr(from, slash - from));
      if (folder.type != FileInfo::Type::directory || found == folder.entries.end()) return 0;
      at = found->second;
    }
    from = slash + 1;
  }
  return at;
}

Disk::Number Disk::folder_of(const std::string& path) const {
  const Number folder = find(parent_path(path));
  if (folder == 0 || inode(folder).type != FileInfo::Type::directory) throw Error(ErrorCode::not_found, path + ": no such folder");
  return folder;
}

FileInfo Disk::info(Number number) const {
  const Inode& from = inode(number);
  FileInfo info;
  info.type = from.type;
  info.size = from.now.size();
  info.mtime_ns = from.mtime;
  info.device = 1;
  info.inode = number;
  info.mode = from.mode;
  info.links = 0;
  for (const auto& [other, folder] : inodes_) {
    for (const auto& [name, target] : folder->entries) info.links += target == number ? 1 : 0;
  }
  return info;
}

std::vector<std::string> Disk::list(Number folder) const {
  std::vector<std::string> names;
  for (const auto& [name, target] : inode(folder).entries) names.push_back(name);
  return names;
}

std::size_t Disk::read(Number file, std::uint64_t offset, MutableByteSpan out) const {
  const Bytes& content = inode(file).now;
  if (offset >= content.size()) return 0;
  const std::size_t size = std::min<std::size_t>(out.size(), content.size() - offset);
  std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), size, out.begin());
  return size;
}

void Disk::set_entry(const std::string& path, Number target, std::uint64_t step) {
  Inode& folder = change(folder_of(path));
  const std::string name = file_name(path);
  if (target == 0) {
    folder.entries.erase(name);
  } else {
    folder.entries[name] = target;
  }
  folder.entry_changes.push_back({name, target, step});
}

Disk::Number Disk::create(const std::string& path, FileInfo::Type type, std::uint32_t mode) {
  folder_of(path);
  auto made = std::make_shared<Inode>();
  made->type = type;
  made->mode = mode;
  made->mtime = static_cast<std::int64_t>(++steps_);
  inodes_[next_] = std::move(made);
  set_entry(path, next_, ++steps_);
  return next_++;
}

void Disk::write(Number file, std::uint64_t offset, ByteSpan bytes) {
  Inode& changed = change(file);
  apply(changed.now, offset, bytes);
  changed.changes.push_back({offset, Bytes(bytes.begin(), bytes.end()), false});
}

void Disk::truncate(Number file, std::uint64_t size) {
  Inode& changed = change(file);
  changed.now.resize(size);
  changed.changes.push_back({size, {}, true});
}

void Disk::sync(Number number) {
  if (inode(number).type == FileInfo::Type::directory) return sync_entries(number);
  Inode& synced = change(number);
  synced.durable = synced.now;
  synced.changes.clear();
}

void Disk::forget_pending(Number file) { change(file).changes.clear(); }

void Disk::sync_entries(Number folder) {
  Inode& synced = change(folder);
  std::set<std::uint64_t> steps;
  for (const EntryChange& done : synced.entry_changes) steps.insert(done.step);
  synced.entry_changes.clear();
  synced.durable_entries = synced.entries;
  for (const auto& [number, held] : std::map(inodes_)) {  // the other side of renames, with what led to it
    for (std::size_t i = held->entry_changes.size(); i-- > 0;) {
      const EntryChange last = held->entry_changes[i];
      if (!steps.contains(last.step)) continue;
      Inode& other = change(number);
      if (last.target == 0) {
        other.durable_entries.erase(last.name);
      } else {
        other.durable_entries[last.name] = last.target;
      }
      std::erase_if(other.entry_changes, [&](const EntryChange& done) { return done.name == last.name && done.step <= last.step; });
      break;
    }
  }
}

void Disk::link(const std::string& from, const std::string& to) { set_entry(to, find(from), ++steps_); }

void Disk::rename(const std::string& from, const std::string& to) {
  const Number moved = find(from);
  const std::uint64_t step = ++steps_;
  folder_of(to);
  set_entry(from, 0, step);
  set_entry(to, moved, step);
}

void Disk::remove(const std::string& path) { set_entry(path, 0, ++steps_); }

void Disk::sync_all() {
  for (const auto& [number, held] : std::map(inodes_)) {
    Inode& synced = change(number);
    synced.durable = synced.now;
    synced.changes.clear();
    synced.durable_entries = synced.entries;
    synced.entry_changes.clear();
  }
}

Disk Disk::after_power_cut(Loss loss, std::mt19937& random) const {
  const bool keep_entries = loss == Loss::nothing || loss == Loss::data;
  const bool keep_data = loss == Loss::nothing || loss == Loss::entries;
  Disk left = *this;
  std::map<std::uint64_t, bool> kept;  // steps of entries
  for (const auto& [number, held] : inodes_) {
    Inode after = *held;
    for (const EntryChange& step : held->entry_changes) {
      const bool keep = kept.try_emplace(step.step, loss == Loss::some ? flip(random) : keep_entries).first->second;
      if (!keep) continue;
      if (step.target == 0) {
        after.durable_entries.erase(step.name);
      } else {
        after.durable_entries[step.name] = step.target;
      }
    }
    for (const Change& step : held->changes) {
      if (loss == Loss::some ? random() % 3 == 0 : !keep_data) continue;
      if (step.truncates) {
        after.durable.resize(step.offset);
      } else if (loss == Loss::some && flip(random)) {
        const std::uint64_t sector = flip(random) ? 512 : 4096;
        for (std::uint64_t at = 0; at < step.bytes.size();) {
          const std::uint64_t end = std::min<std::uint64_t>(step.bytes.size(), (step.offset + at) / sector * sector + sector - step.offset);
          if (flip(random)) apply(after.durable, step.offset + at, ByteSpan(step.bytes).subspan(at, end - at));
          at = end;
        }
      } else {
        apply(after.durable, step.offset, step.bytes);
      }
    }
    after.now = after.durable;
    after.changes.clear();
    after.entries = after.durable_entries;
    after.entry_changes.clear();
    left.inodes_[number] = std::make_shared<const Inode>(std::move(after));
  }
  // Of a folder that is gone, nothing remains; a name whose inode nobody wrote down does not exist here: numbers are never reused.
  std::set<Number> reached;
  std::vector<Number> stack{kRoot};
  while (!stack.empty()) {
    const Number number = stack.back();
    stack.pop_back();
    if (!reached.insert(number).second) continue;
    for (const auto& [name, target] : left.inode(number).entries) stack.push_back(target);
  }
  std::erase_if(left.inodes_, [&](const auto& row) { return !reached.contains(row.first); });
  return left;
}

}  // namespace dstore::test
