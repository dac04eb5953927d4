#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/filesystem.h"

namespace dstore {

/// Takes a line for the user, told before something large begins. May be empty.
using Notice = std::function<void(const std::string&)>;

/// Before anything is written: Error{io} unless `bytes`, an upper estimate, fit on the file system of `path` (or of the
/// nearest folder above it that exists). From 1 GB on `notice` is told what will be written, how much is free and, from speeds that
/// are measured then, how long it will take. `what` is "the import": the subject of both sentences.
void require_room(Filesystem& fs, const std::string& path, std::uint64_t bytes, std::string_view what, const Notice& notice = {});

/// From 1 GB on, for what reads more than it writes: "the commit reads 7.1 GB, about 12 s".
void announce_reading(std::uint64_t bytes, std::string_view what, const Notice& notice);

/// Whether the same bytes fit.
bool has_room(Filesystem& fs, const std::string& path, std::uint64_t bytes);

/// Upper estimate of what packs take for this many objects whose bytes sum up to `bytes`, index included.
std::uint64_t packed_size(std::uint64_t objects, std::uint64_t bytes);

}  // namespace dstore
