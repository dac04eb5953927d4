#pragma once

#include <cstdlib>
#include <string_view>

namespace dstore {

/// Whether to make the mistake of this name on purpose: the tests must notice (tests/durability/mutants.py). Never, but in a build
/// with -DDSTORE_MUTANTS=ON, where the environment variable DSTORE_MUTANT names one.
#ifdef DSTORE_MUTANTS
inline bool mutant(std::string_view name) {
  const char* wanted = std::getenv("DSTORE_MUTANT");
  return wanted != nullptr && name == wanted;
}
#else
constexpr bool mutant(std::string_view) { return false; }
#endif

}  // namespace dstore
