#include "delta/profile.h"

#include <string>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

struct ProfileRow {
  std::string_view name;
  Profile profile;
};

constexpr ProfileRow kProfiles[] = {{"compact", Profile::compact}, {"fast", Profile::fast}};

}  // namespace

Profile parse_profile(std::string_view name) {
  std::string names;
  for (const ProfileRow& row : kProfiles) {
    if (row.name == name) return row.profile;
    names += (names.empty() ? "" : " or ") + std::string(row.name);
  }
  throw Error(ErrorCode::invalid_argument, "--profile: expected " + names + ", not " + printable(name));
}

}  // namespace dstore
