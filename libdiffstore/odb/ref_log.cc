#include "odb/ref_log.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/mutant.h"
#include "dstore/error.h"
#include "odb/layout.h"

namespace dstore {
namespace {

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

RefLog::RefLog(Filesystem& fs, std::string dir, std::optional<ObjectId> repository)
    : fs_(fs), dir_(std::move(dir)), repository_(repository) {}

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

RefEntry RefLog::read(const RefName& ref, std::uint64_t sequence) const {
  const std::string path = join_path(join_path(dir_, ref.encode()), sequence_file_name(sequence));
  const std::string what = printable(path);
  const auto file = fs_.open(path, OpenMode::read_store);
  const std::uint64_t size = file->info().size;
  if (size > layout::kMaxRefEntryFile) throw Error(ErrorCode::corrupt, what + ": too large for a ref entry");
  Bytes bytes(size);
  if (file->read_at(0, bytes) != size) throw Error(ErrorCode::corrupt, what + ": cut short");
  RefEntry entry = RefEntry::parse(as_text(bytes), what);
  if (entry.sequence != sequence) throw Error(ErrorCode::corrupt, what + ": its sequence number is not its file name");
  if (entry.ref != ref) throw Error(ErrorCode::corrupt, what + ": it is an entry of ref " + entry.ref.text());
  if (repository_ && entry.repository != *repository_) throw Error(ErrorCode::corrupt, what + ": it is of another repository");
  return entry;
}

std::optional<RefEntry> RefLog::head(const RefName& ref) const {
  const std::size_t count = sequences(ref).size();
  if (count == 0) return std::nullopt;
  RefEntry last = read(ref, count);
  if (count > 1) {
    if (const char* problem = link_problem(read(ref, count - 1), last)) {
      throw Error(ErrorCode::corrupt, "ref " + ref.text() + ", entry " + std::to_string(count) + ": " + problem);
    }
  }
  return last;
}

std::vector<RefEntry> RefLog::heads() const {
  std::vector<RefEntry> found;
  for (const RefName& ref : list()) {
    auto last = head(ref);
    if (last && !last->is_deletion()) found.push_back(std::move(*last));
  }
  return found;
}

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
  if (file.commit_new()) return true;
  const bool same = read(entry.ref, entry.sequence) == entry;
  if (same) fs_.sync_directory(dir);
  return same;
}

}  // namespace dstore
