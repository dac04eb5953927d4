#pragma once

#include "odb/ref_log.h"
#include "test_store.h"

namespace dstore::test {

inline const ObjectId kRepository = fake_id("repository");
inline const RefName kBase = RefName::parse("base");
inline constexpr const char* kSignature =
    "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgx+/=\nAAAA\n-----END SSH SIGNATURE-----\n";

inline RefEntry entry_after(const std::optional<RefEntry>& head, std::string_view commit, const RefName& ref = kBase) {
  return next_entry(head, kRepository, ref, RefKind::branch, commit.empty() ? ObjectId() : fake_id(commit), 1'700'000'000);
}

/// A chain of `count` entries.
inline void grow(RefLog& log, int count, const RefName& ref = kBase) {
  for (int i = 0; i < count; ++i) {
    RefEntry entry = entry_after(log.head(ref), std::to_string(i), ref);
    if (i % 2 == 0) entry.signature = kSignature;
    REQUIRE(log.append(entry));
  }
}

}  // namespace dstore::test
