#pragma once

#include <string>

/// Writes files of all formats but segments, as the library makes them, and a line of JSON for each to the standard output.
void make_formats(const std::string& folder);
