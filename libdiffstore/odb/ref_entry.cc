#include <algorithm>

#include "base/json.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "odb/layout.h"
#include "odb/ref_log.h"

namespace dstore {
namespace {

constexpr std::string_view kForgottenPrefix = "forgotten/";

struct KindRow {
  RefKind kind;
  std::string_view word;
};
constexpr KindRow kKinds[] = {{RefKind::branch, "branch"}, {RefKind::tag, "tag"}, {RefKind::forgotten, "forgotten"}};

std::string hex_or_empty(const ObjectId& id) { return id.is_none() ? std::string() : id.hex(); }

ObjectId parse_id(const Json& object, std::string_view key, std::string_view what) {
  const std::string& hex = object.at(key).string();
  if (hex.empty()) return {};
  return ObjectId::parse(hex, std::string(what) + ", \"" + std::string(key) + "\"");
}

/// "" or lines of base64 between ssh-keygen's begin and end lines, each line ended by a line feed.
bool is_armoured_signature(std::string_view text) {
  if (text.empty()) return true;
  if (!text.starts_with(layout::kSignatureBegin)) return false;
  text.remove_prefix(layout::kSignatureBegin.size());
  if (!text.ends_with(layout::kSignatureEnd)) return false;
  text.remove_suffix(layout::kSignatureEnd.size());
  if (text.empty() || text.front() == '\n' || text.back() != '\n') return false;
  std::size_t column = 0;
  for (const char c : text) {
    const bool base64 = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
    if (c == '\n' ? column == 0 : !base64 || column == 76) return false;
    column = c == '\n' ? 0 : column + 1;
  }
  return true;
}

/// What is wrong with the fields taken together; nullptr if nothing is.
const char* problem_of(const RefEntry& entry) {
  if (entry.repository.is_none()) return "it names no repository";
  if (entry.sequence < 1 || entry.sequence > layout::kMaxSequence) return "its sequence number is out of range";
  if ((entry.sequence == 1) != entry.previous.is_none()) return "only the first entry has no previous one";
  if (entry.sequence == 1 && !entry.old_commit.is_none()) return "the first entry cannot have an old commit";
  if (entry.old_commit.is_none() && entry.new_commit.is_none()) return "it deletes what does not exist";
  if (entry.time < 0) return "its time is before 1970";
  if (is_forgotten_name(entry.ref) != (entry.kind == RefKind::forgotten)) return "names that start with forgotten/ are reserved for forgotten commits";
  if (entry.kind == RefKind::forgotten && !entry.new_commit.is_none() && forgotten_name(entry.new_commit) != entry.ref) {
    return "it records another commit than its name says";
  }
  if (!is_armoured_signature(entry.signature)) return "its signature is not an armoured SSH signature";
  return nullptr;
}

}  // namespace

RefName forgotten_name(const ObjectId& commit) { return RefName::parse(std::string(kForgottenPrefix) + commit.hex()); }

bool is_forgotten_name(const RefName& name) { return name.text().starts_with(kForgottenPrefix); }

std::string RefEntry::payload() const {
  Json json;
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) json.set("kind", row.word);
  }
  json.set("new", hex_or_empty(new_commit));
  json.set("old", hex_or_empty(old_commit));
  json.set("previous", hex_or_empty(previous));
  json.set("ref", ref.text());
  json.set("repository", repository.hex());
  json.set("sequence", static_cast<std::int64_t>(sequence));
  json.set("time", time);
  json.set("v", 1);
  return json.serialize();
}

ObjectId RefEntry::digest() const { return sha256(as_bytes(payload())); }

std::string RefEntry::serialize() const {
  if (const char* problem = problem_of(*this)) {
    throw Error(ErrorCode::invalid_argument, "ref entry " + std::to_string(sequence) + " of " + ref.text() + " cannot be written: " + problem);
  }
  return payload() + "\n" + signature;
}

RefEntry RefEntry::parse(std::string_view text, std::string_view what) {
  const auto fail = [&](std::string_view message) -> Error { return {ErrorCode::corrupt, std::string(what) + ": " + std::string(message)}; };
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) throw fail("cut short");
  const Json json = Json::parse(text.substr(0, end), what);
  const std::int64_t version = json.at("v").integer();
  if (version != 1) {
    throw Error(ErrorCode::unsupported, std::string(what) + ": version " + std::to_string(version) + " is not known; use a newer dstore");
  }
  const std::string& word = json.at("kind").string();
  const auto* const kind = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const KindRow& row) { return row.word == word; });
  if (kind == std::end(kKinds)) throw fail("its kind is not known");
  const std::string& ref = json.at("ref").string();
  if (!RefName::is_valid(ref)) throw fail("its ref name is not valid");
  const std::int64_t sequence = json.at("sequence").integer();
  if (sequence < 1) throw fail("its sequence number is out of range");
  RefEntry entry{.repository = parse_id(json, "repository", what),
                 .kind = kind->kind,
                 .ref = RefName::parse(ref),
                 .sequence = static_cast<std::uint64_t>(sequence),
                 .previous = parse_id(json, "previous", what),
                 .old_commit = parse_id(json, "old", what),
                 .new_commit = parse_id(json, "new", what),
                 .time = json.at("time").integer(),
                 .signature = std::string(text.substr(end + 1))};
  if (const char* problem = problem_of(entry)) throw fail(problem);
  if (entry.payload() != text.substr(0, end)) throw fail("it has fields that version 1 does not have");
  return entry;
}

RefEntry next_entry(const std::optional<RefEntry>& head, const ObjectId& repository, const RefName& ref, RefKind kind,
                    const ObjectId& new_commit, std::int64_t time) {
  return {.repository = repository,
          .kind = kind,
          .ref = ref,
          .sequence = head ? head->sequence + 1 : 1,
          .previous = head ? head->digest() : ObjectId(),
          .old_commit = head ? head->new_commit : ObjectId(),
          .new_commit = new_commit,
          .time = time,
          .signature = {}};
}

}  // namespace dstore
