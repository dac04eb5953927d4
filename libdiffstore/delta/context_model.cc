#include "delta/context_model.h"

#include <algorithm>
#include <bit>

#include "delta/residual.h"

namespace dstore {

using namespace segment_layout;

namespace {

std::uint64_t table_bytes(const CodeLengths& table) { return 2 + (table.count + 1u) / 2; }

/// Neighbouring classes that share a table.
struct Cluster {
  unsigned first_class;
  TokenCounts counts;
  std::uint64_t bits;  ///< codes and the table itself
};

std::uint64_t cluster_bits(const TokenCounts& counts) {
  const CodeLengths table = code_lengths(counts);
  return table.count == 0 ? 0 : coded_bits(table, counts) + 8 * table_bytes(table);
}

TokenCounts sum(const TokenCounts& a, const TokenCounts& b) {
  TokenCounts out = a;
  for (unsigned token = 0; token < kTokens; ++token) out[token] += b[token];
  return out;
}

/// Merges the best pair of neighbours until no merge saves a bit and the tables are few enough.
void merge_clusters(std::vector<Cluster>& clusters) {
  const auto merged_bits = [&](std::size_t i) { return cluster_bits(sum(clusters[i].counts, clusters[i + 1].counts)); };
  std::vector<std::uint64_t> joined;
  for (std::size_t i = 0; i + 1 < clusters.size(); ++i) joined.push_back(merged_bits(i));
  while (clusters.size() > 1) {
    std::size_t best = 0;
    std::int64_t best_gain = INT64_MIN;
    for (std::size_t i = 0; i < joined.size(); ++i) {
      const auto gain = static_cast<std::int64_t>(clusters[i].bits + clusters[i + 1].bits) - static_cast<std::int64_t>(joined[i]);
      if (gain > best_gain) best = i, best_gain = gain;
    }
    if (best_gain < 0 && clusters.size() <= kMaxTables) return;
    clusters[best].counts = sum(clusters[best].counts, clusters[best + 1].counts);
    clusters[best].bits = joined[best];
    clusters.erase(clusters.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    joined.erase(joined.begin() + static_cast<std::ptrdiff_t>(best));
    if (best < joined.size()) joined[best] = merged_bits(best);
    if (best > 0) joined[best - 1] = merged_bits(best - 1);
  }
}

/// The exponent of class 0: the largest one but for outliers (at most 1 in 1024 residuals lies above it).
unsigned top_exponent(const TokenHistogram& histogram) {
  std::uint64_t total = 0;
  for (std::uint32_t count : histogram) total += count;
  std::uint64_t above = 0;
  for (std::size_t exponent = histogram.size() / kTokens; exponent-- > 0;) {
    for (unsigned token = 0; token < kTokens; ++token) above += histogram[exponent * kTokens + token];
    if (above > total / 1024) return static_cast<unsigned>(exponent);
  }
  return 0;
}

CodeLengths parse_table(Reader& reader, const UnitType& unit) {
  CodeLengths table;
  table.first = reader.u8();
  table.count = reader.u8();
  if (table.count == 0 || table.first + table.count > kTokenBias + 8u * unit.bytes + 1) reader.fail("code table names tokens that the dtype does not have");
  for (unsigned i = 0; i < table.count; i += 2) {
    const unsigned pair = reader.u8();
    table.lengths[table.first + i] = pair & 15;
    if (i + 1 < table.count) {
      table.lengths[table.first + i + 1] = static_cast<std::uint8_t>(pair >> 4);
    } else if (pair >> 4 != 0) {
      reader.fail("code table padding is not zero");
    }
  }
  for (std::uint8_t length : table.lengths) {
    if (length > kMaxCodeBits) reader.fail("code is too long");
  }
  const bool trimmed = table.count == 1 || (table.lengths[table.first] != 0 && table.lengths[table.first + table.count - 1] != 0);
  if (!trimmed || !is_complete(table)) reader.fail("code table is not a complete prefix code");
  return table;
}

}  // namespace

TokenHistogram empty_histogram(const UnitType& unit) {
  return TokenHistogram((std::size_t{1} << unit.exponent_bits) * kTokens);
}

ContextModel::ContextModel(const TokenHistogram& histogram) : top_(top_exponent(histogram)) {
  const std::vector<TokenCounts> classes = class_counts(histogram);
  std::vector<Cluster> clusters;
  for (unsigned c = 0; c < kClasses; ++c) {
    const std::uint64_t bits = cluster_bits(classes[c]);
    const bool empty = code_lengths(classes[c]).count == 0;
    if (!empty) clusters.push_back({c, classes[c], bits});
  }
  merge_clusters(clusters);
  std::uint32_t starts = 1;
  for (std::size_t i = 1; i < clusters.size(); ++i) starts |= std::uint32_t{1} << clusters[i].first_class;
  set_starts(starts);
  for (const Cluster& cluster : clusters) tables_.push_back(code_lengths(cluster.counts));
}

ContextModel::ContextModel(Reader& reader, unsigned tables, const UnitType& unit) {
  top_ = reader.u16();
  if (top_ >> unit.exponent_bits != 0) reader.fail("top exponent is out of range");
  const std::uint32_t starts = reader.u32();
  if ((starts & 1) == 0 || static_cast<unsigned>(std::popcount(starts)) != tables) reader.fail("class map does not fit the tables");
  set_starts(starts);
  for (unsigned i = 0; i < tables; ++i) tables_.push_back(parse_table(reader, unit));
}

void ContextModel::set_starts(std::uint32_t starts) {
  starts_ = starts;
  unsigned table = 0;
  for (unsigned c = 0; c < kClasses; ++c) {
    if (c > 0 && (starts >> c & 1) != 0) ++table;
    table_of_class_[c] = static_cast<std::uint8_t>(table);
  }
}

std::vector<TokenCounts> ContextModel::class_counts(const TokenHistogram& histogram) const {
  std::vector<TokenCounts> classes(kClasses, TokenCounts{});
  for (unsigned exponent = 0; exponent < histogram.size() / kTokens; ++exponent) {
    TokenCounts& counts = classes[class_of(exponent)];
    for (unsigned token = 0; token < kTokens; ++token) counts[token] += histogram[exponent * kTokens + token];
  }
  return classes;
}

std::uint64_t ContextModel::coded_bits(const TokenHistogram& histogram) const {
  const std::vector<TokenCounts> classes = class_counts(histogram);
  std::uint64_t bits = 0;
  for (unsigned c = 0; c < kClasses; ++c) bits += dstore::coded_bits(tables_[table_of_class_[c]], classes[c]);
  return bits;
}

std::uint64_t ContextModel::written_bytes() const {
  std::uint64_t bytes = 6;
  for (const CodeLengths& table : tables_) bytes += table_bytes(table);
  return bytes;
}

namespace {

/// Entries of one table of DecodeTables::direct, or, where `tokens` is not null, of DecodeTables::tokens.
void fill_entries(const CodeLengths& table, std::uint32_t* direct, std::uint32_t* tokens) {
  const EncodeTable codes = encode_table(table);
  for (unsigned token = table.first; token < unsigned{table.first} + table.count; ++token) {
    const unsigned length = table.lengths[token];
    if (length == 0 && table.count > 1) continue;
    const TokenForm& form = token_forms()[token];
    for (unsigned at = codes.codes[token]; at < 1u << kMaxCodeBits; at += 1u << length) {
      if (tokens != nullptr) {
        tokens[at] = (length + form.extra) | length << 8 | form.extra << 16 | static_cast<std::uint32_t>(form.bias >> form.extra) << 24;
      } else if (length + form.extra <= kMaxCodeBits) {
        direct[at] = (length + form.extra) | static_cast<std::uint32_t>(form.bias + (at >> length & form.mask)) << 16;
      } else {
        direct[at] = length | DecodeTables::kLongCode | token << 16;
      }
    }
  }
}

}  // namespace

ModelEncoder::ModelEncoder(const ContextModel& model, const UnitType& unit, std::optional<Drift> drift)
    : codes_((std::size_t{1} << unit.exponent_bits) * kTokens), drift_(std::move(drift)) {
  std::vector<std::array<CellCode, kTokens>> tables(model.tables());
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const EncodeTable codes = encode_table(model.table(i));
    for (unsigned token = 0; token < kTokens; ++token) {
      tables[i][token] = codes.codes[token] | static_cast<CellCode>(codes.lengths[token]) << 16 | extra_bits(token) << 24;
    }
  }
  for (unsigned exponent = 0; exponent < 1u << unit.exponent_bits; ++exponent) {
    const auto& codes = tables[model.table_for(exponent)];
    std::copy(codes.begin(), codes.end(), codes_.begin() + static_cast<std::ptrdiff_t>(exponent * kTokens));
  }
}

ModelDecoder::ModelDecoder(const ContextModel& model, const UnitType& unit, std::optional<Drift> drift) : drift_(std::move(drift)) {
  const std::size_t entries = model.tables() << kMaxCodeBits;
  const bool narrow = unit.bytes <= 2;
  (narrow ? tables_.direct.resize(entries) : tables_.tokens.resize(entries));
  for (std::size_t i = 0; i < model.tables(); ++i) {
    const std::size_t at = i << kMaxCodeBits;
    fill_entries(model.table(i), narrow ? &tables_.direct[at] : nullptr, narrow ? nullptr : &tables_.tokens[at]);
  }
  for (unsigned e = 0; e < 1u << unit.exponent_bits; ++e) {
    tables_.offset_of_exponent.push_back(static_cast<std::uint32_t>(model.table_for(e) << kMaxCodeBits));
  }
}

void ContextModel::write(Writer& out) const {
  out.u16(static_cast<std::uint16_t>(top_));
  out.u32(starts_);
  for (const CodeLengths& table : tables_) {
    out.u8(table.first);
    out.u8(table.count);
    for (unsigned i = 0; i < table.count; i += 2) {
      const unsigned low = table.lengths[table.first + i];
      const unsigned high = i + 1 < table.count ? table.lengths[table.first + i + 1] : 0u;
      out.u8(static_cast<std::uint8_t>(low | high << 4));
    }
  }
}

}  // namespace dstore
