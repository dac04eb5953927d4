#pragma once

#include <string>

#include "base/filesystem.h"

namespace dstore {

/// DIR/reserve: space that is given back when a collection finds the disk full, which then has room to write down what it deletes
/// (spec/repository.md, "Layout"). A convenience: where it cannot be made, nothing is lost.
void keep_reserve(Filesystem& fs, const std::string& dir);
/// False if there is none.
bool release_reserve(Filesystem& fs, const std::string& dir);

}  // namespace dstore
