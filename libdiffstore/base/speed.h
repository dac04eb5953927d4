#pragma once

#include <cstdint>
#include <string>

#include "base/filesystem.h"

namespace dstore {

/// Bytes a second at which this machine hashes on all cores and writes durably to the file system of `folder`: the slower of both,
/// measured now by hashing and writing 32 MiB to a file that is removed. 0 where that cannot be done. Takes a fraction of a second.
double measured_speed(Filesystem& fs, const std::string& folder);
/// Of hashing alone.
double measured_hash_speed();

/// "about 4 min" for that many bytes at a speed; "" where that is 0.
std::string duration_text(std::uint64_t bytes, double bytes_per_second);

}  // namespace dstore
