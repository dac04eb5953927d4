#pragma once

#include <optional>
#include <string>

namespace dstore {

/// Bytes of memory that this process holds now.
double held_memory();
/// Bytes that it can hold more: the least of what the system has available, of what the limits of its control groups (versions 1 and 2) leave and of
/// `ulimit -v`; nothing where none of them is known. `root` stands before /proc and /sys.
std::optional<double> memory_room(const std::string& root = "");

}  // namespace dstore
