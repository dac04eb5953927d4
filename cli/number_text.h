#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/decimal.h"
#include "dstore/tensor.h"

namespace dstore::cli {

/// "0.0123", "1.2e-07": `digits` significant ones.
std::string number_text(double value, int digits = 3);
/// A recorded number in a list for people: as it is where it is short, else four significant digits.
std::string brief_number(const std::string& recorded);
/// "0.50 %" of a share; "<0.001 %" rather than a zero that is none.
std::string share_text(double share);
/// One unit (delta/element.h) of a tensor for a person: floats with as many digits as tell them apart, integers, or hex
/// digits (most significant first) for dtypes that this program does not calculate with.
std::string unit_text(DType dtype, ByteSpan unit);

}  // namespace dstore::cli
