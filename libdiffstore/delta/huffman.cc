#include "delta/huffman.h"

#include <algorithm>

#include "delta/package_merge.h"
#include "delta/residual.h"

namespace dstore {

using namespace segment_layout;

CodeLengths code_lengths(const TokenCounts& counts) {
  CodeLengths table;
  const auto counted = [](std::uint64_t count) { return count != 0; };
  const auto first = std::find_if(counts.begin(), counts.end(), counted);
  if (first == counts.end()) return table;
  const auto last = std::find_if(counts.rbegin(), counts.rend(), counted).base();
  table.first = static_cast<std::uint8_t>(first - counts.begin());
  table.count = static_cast<std::uint8_t>(last - first);
  package_merge(counts, kMaxCodeBits, table.lengths);
  return table;
}

std::uint64_t coded_bits(const CodeLengths& table, const TokenCounts& counts) {
  std::uint64_t bits = 0;
  for (unsigned token = 0; token < kTokens; ++token) bits += counts[token] * (table.lengths[token] + extra_bits(token));
  return bits;
}

bool is_complete(const CodeLengths& table) {
  if (table.count == 0) return false;
  if (table.count == 1) return table.lengths[table.first] == 0;
  return is_complete_code(table.lengths, kMaxCodeBits);
}

EncodeTable encode_table(const CodeLengths& table) {
  EncodeTable out;
  out.lengths = table.lengths;
  canonical_codes(table.lengths, kMaxCodeBits, out.codes);
  return out;
}

}  // namespace dstore
