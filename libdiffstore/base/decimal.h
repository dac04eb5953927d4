#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dstore {

/// Shortest decimal that reads back as the same double: "0.7512"; "nan" for NaN.
std::string shortest_decimal(double value);

/// A finite decimal number, the whole text; else nullopt.
std::optional<double> parse_number(std::string_view text);

/// "0.5%", "0.005" -> 0.005. Error{invalid_argument} unless in (0, 1].
double parse_density(const std::string& text);
/// floor(density * elements), exact for densities written in decimal.
std::uint64_t density_count(double density, std::uint64_t elements);

}  // namespace dstore
