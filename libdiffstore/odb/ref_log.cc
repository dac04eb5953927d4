#include "odb/ref_log.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/mutant.h"
#include "dstore/error.h"
#include "odb/layout.h"

namespace dstore {
namespace {

constexpr std::uint64_t kLongHistory = 64;  ///< shorter ones are listed
constexpr std::uint64_t kHintEvery = 16;    ///< entries between two hints that a writer leaves
constexpr std::uint64_t kHintReach = 64;    ///< a hint that is farther behind is not used
const std::string kForgottenFolders = "forgotten%2f";
constexpr std::uint64_t kLookBeyond = 4;    ///< numbers after the last one that must not be there either: one is missing then

std::string sequence_file_name(std::uint64_t sequence) {
  const std::string digits = std::to_string(sequence);
  return std::string(layout::kSequenceDigits - std::min(layout::kSequenceDigits, digits.size()), '0') + digits;
}

/// 0 for anything but ten digits.
std::uint64_t parse_sequence(std::string_view name) {
  if (name.size() != layout::kSequenceDigits) return 0;
  std::uint64_t value = 0;
  for (const char c : name) {
    if (c < '0' || c > '9') return 0;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

/// Why `entry` cannot come right after `before`; nullptr if it can.
const char* link_problem(const RefEntry& before, const RefEntry& entry) {
  if (entry.repository != before.repository) return "it is of another repository than the entry before";
  if (entry.sequence != before.sequence + 1) return "its sequence number does not follow the entry before";
  if (entry.previous != before.digest()) return "it does not name the entry before";
  if (entry.old_commit != before.new_commit) return "its old commit is not the new commit of the entry before";
  if (entry.kind != before.kind && !before.is_deletion()) return "a branch cannot become a tag, or a tag a branch";
  return nullptr;
}

}  // namespace

RefLog::RefLog(Filesystem& fs, std::string dir, std::optional<ObjectId> repository, RefHints* hints)
    : fs_(fs), dir_(std::move(dir)), repository_(repository), hints_(hints) {}

std::vector<RefName> RefLog::list() const {
  std::vector<RefName> refs;
  if (!fs_.stat(dir_, true)) return refs;
  for (const std::string& name : fs_.list(dir_)) {
    const auto ref = RefName::decode(name);
    if (ref && !present(*ref).empty()) refs.push_back(*ref);
  }
  std::sort(refs.begin(), refs.end());
  return refs;
}

std::vector<std::uint64_t> RefLog::present(const RefName& ref) const {
  const std::string dir = join_path(dir_, ref.encode());
  const auto info = fs_.stat(dir, false);
  std::vector<std::uint64_t> found;
  if (!info || info->type != FileInfo::Type::directory) return found;
  for (const std::string& name : fs_.list(dir)) {
    if (const std::uint64_t sequence = parse_sequence(name)) found.push_back(sequence);
  }
  return found;
}

std::vector<std::uint64_t> RefLog::sequences(const RefName& ref) const {
  const std::vector<std::uint64_t> found = present(ref);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] != i + 1) {
      throw Error(ErrorCode::corrupt, printable(dir_) + ": ref " + ref.text() + ": entry " + std::to_string(i + 1) + " is missing");
    }
  }
  return found;
}

std::string RefLog::entry_path(const RefName& ref, std::uint64_t sequence) const {
  return join_path(join_path(dir_, ref.encode()), sequence_file_name(sequence));
}

std::optional<std::uint64_t> RefLog::last_after_hint(const RefName& ref) const {
  const auto has = [&](std::uint64_t sequence) { return exists(fs_, entry_path(ref, sequence)); };
  if (hints_ == nullptr) return std::nullopt;
  const auto folder = fs_.stat(join_path(dir_, ref.encode()), false);
  if (!folder || folder->type != FileInfo::Type::directory || !has(kLongHistory)) return std::nullopt;
  const std::uint64_t hint = hints_->find(ref);
  if (hint < kLongHistory || !has(hint)) return std::nullopt;
  std::uint64_t last = hint;
  while (has(last + 1)) {
    if (++last - hint == kHintReach) return std::nullopt;
  }
  for (std::uint64_t beyond = last + 2; beyond <= last + kLookBeyond; ++beyond) {
    if (has(beyond)) return std::nullopt;
  }
  return last;
}

std::uint64_t RefLog::last_sequence(const RefName& ref) const {
  if (const auto last = last_after_hint(ref)) return *last;
  const std::uint64_t last = sequences(ref).size();
  if (hints_ != nullptr && last >= kLongHistory) hints_->put(ref, last);
  return last;
}

RefEntry RefLog::read(const RefName& ref, std::uint64_t sequence) const {
  const std::string path = entry_path(ref, sequence);
  const std::string what = printable(path);
  const auto file = fs_.open(path, OpenMode::read_store);
  const std::uint64_t size = file->info().size;
  if (size > layout::kMaxRefEntryFile) throw Error(ErrorCode::corrupt, what + ": too large for a ref entry");
  Bytes bytes(size);
  if (file->read_at(0, bytes) != size) throw Error(ErrorCode::corrupt, what + ": cut short");
  RefEntry entry = [&] {
    try {
      return RefEntry::parse(as_text(bytes), what);
    } catch (const Error& error) {
      if (std::string_view(error.what()).starts_with(what)) throw;
      throw Error(error.code(), what + ": " + error.what());
    }
  }();
  if (entry.sequence != sequence) throw Error(ErrorCode::corrupt, what + ": its sequence number is not its file name");
  if (entry.ref != ref) throw Error(ErrorCode::corrupt, what + ": it is an entry of ref " + entry.ref.text());
  if (repository_ && entry.repository != *repository_) throw Error(ErrorCode::corrupt, what + ": it is of another repository");
  return entry;
}

std::optional<RefEntry> RefLog::head(const RefName& ref) const {
  const std::uint64_t count = last_sequence(ref);
  if (count == 0) return std::nullopt;
  RefEntry last = read(ref, count);
  if (count > 1) {
    if (const char* problem = link_problem(read(ref, count - 1), last)) {
      throw Error(ErrorCode::corrupt, "ref " + ref.text() + ", entry " + std::to_string(count) + ": " + problem);
    }
  }
  return last;
}

std::vector<RefName> RefLog::names(bool forgotten) const {
  std::vector<RefName> refs;
  if (!fs_.stat(dir_, true)) return refs;
  for (const std::string& name : fs_.list(dir_)) {
    if (name.starts_with(kForgottenFolders) != forgotten) continue;
    if (auto ref = RefName::decode(name)) refs.push_back(std::move(*ref));
  }
  return refs;
}

RefHeads RefLog::heads_of(bool forgotten) const {
  RefHeads found;
  for (const RefName& ref : names(forgotten)) {
    try {
      auto last = head(ref);
      if (last && !last->is_deletion()) found.heads.push_back(std::move(*last));
    } catch (const Error& error) {
      found.damaged.push_back(error);
    }
  }
  std::sort(found.heads.begin(), found.heads.end(), [](const RefEntry& a, const RefEntry& b) { return a.ref < b.ref; });
  return found;
}

namespace {

std::vector<RefEntry> all_or_error(RefHeads found) {
  if (!found.damaged.empty()) throw found.damaged.front();
  return std::move(found.heads);
}

}  // namespace

RefHeads RefLog::all_heads() const { return heads_of(false); }

std::vector<RefEntry> RefLog::heads() const { return all_or_error(heads_of(false)); }

std::vector<RefEntry> RefLog::forgotten() const { return all_or_error(heads_of(true)); }

std::vector<RefEntry> RefLog::entries(const RefName& ref) const {
  std::vector<RefEntry> chain;
  for (const std::uint64_t sequence : sequences(ref)) {
    RefEntry entry = read(ref, sequence);
    const char* problem = chain.empty() ? nullptr : link_problem(chain.back(), entry);
    if (problem != nullptr) {
      throw Error(ErrorCode::corrupt, "ref " + ref.text() + ", entry " + std::to_string(sequence) + ": " + problem);
    }
    chain.push_back(std::move(entry));
  }
  return chain;
}

std::map<std::uint64_t, std::optional<RefEntry>> RefLog::salvage(const RefName& ref) const {
  std::map<std::uint64_t, std::optional<RefEntry>> found;
  for (const std::uint64_t sequence : present(ref)) {
    try {
      found[sequence] = read(ref, sequence);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::io) throw;
      found[sequence] = std::nullopt;
    }
  }
  return found;
}

void RefLog::restore(const RefEntry& entry, const std::string& aside) {
  const std::string path = entry_path(entry.ref, entry.sequence);
  make_directories(fs_, parent_path(path));
  if (exists(fs_, path)) {
    fs_.link(path, aside);
    fs_.sync_directory(parent_path(aside));
  }
  write_file_atomically(fs_, path, as_bytes(entry.serialize()), 0444);
}

bool RefLog::append(const RefEntry& entry) {
  const std::string text = entry.serialize();
  if (text.size() > layout::kMaxRefEntryFile) throw Error(ErrorCode::invalid_argument, "ref " + entry.ref.text() + ": the entry is too large");
  const auto refuse = [&](std::string_view why) {
    throw Error(ErrorCode::invalid_argument, "ref " + entry.ref.text() + ", entry " + std::to_string(entry.sequence) + ": " + std::string(why));
  };
  if (repository_ && entry.repository != *repository_) refuse("it is of another repository");

  const std::string dir = join_path(dir_, entry.ref.encode());
  const auto last = head(entry.ref);
  if (last && last->sequence >= entry.sequence) {
    if (mutant("old-sequence-accepted")) return true;
    const bool same = read(entry.ref, entry.sequence) == entry;
    if (same) fs_.sync_directory(dir);  // whoever made it may not have got that far
    return same;
  }
  if (entry.sequence != (last ? last->sequence + 1 : 1)) refuse("its sequence number does not follow the last one");
  if (last) {
    if (const char* problem = link_problem(*last, entry)) refuse(problem);
  } else {
    make_directories(fs_, dir_);
    fs_.make_directory(dir);
    fs_.sync_directory(dir_);  // also where another process made it and did not get that far
  }
  AtomicFile file(fs_, join_path(dir, sequence_file_name(entry.sequence)), 0444);
  file.write(as_bytes(text));
  if (file.commit_new()) {
    if (hints_ != nullptr && entry.sequence >= kLongHistory && entry.sequence % kHintEvery == 0) hints_->put(entry.ref, entry.sequence);
    return true;
  }
  const bool same = read(entry.ref, entry.sequence) == entry;
  if (same) fs_.sync_directory(dir);
  return same;
}

}  // namespace dstore
