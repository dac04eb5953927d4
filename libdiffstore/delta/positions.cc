#include "delta/positions.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "delta/bits.h"
#include "delta/block.h"
#include "delta/byte_huffman.h"
#include "delta/kernels.h"
#include "delta/unit_groups.h"

namespace dstore {

using namespace segment_layout;

namespace {

constexpr std::size_t kSizeField = 4;  ///< before a byte-coded bitmap

/// A bit for each of `count` things, set for those listed.
Bytes bitmap_of(std::span<const std::uint32_t> set, std::uint32_t count) {
  Bytes bitmap((count + 7) / 8);
  for (std::uint32_t i : set) bitmap[i / 8] |= static_cast<std::byte>(1u << i % 8);
  return bitmap;
}

/// The changed units' own bitmap.
Bytes bitmap_bytes(const BlockScan& scan) {
  Bytes bitmap((scan.units() + 7) / 8);
  std::memcpy(bitmap.data(), scan.words().data(), bitmap.size());
  return bitmap;
}

struct RiceChoice {
  std::uint8_t bits;
  std::uint64_t bytes;
};

std::uint64_t quotient_sum(std::span<const std::uint32_t> positions, unsigned rice) {
  const std::uint32_t* const at = positions.data();
  std::uint64_t sum = at[0] >> rice;
  for (std::size_t i = 1; i < positions.size(); ++i) sum += (at[i] - at[i - 1] - 1) >> rice;  // no chain from one to the next: it must vectorise
  return sum;
}

/// Split-Rice parameter with the fewest bytes for these positions.
RiceChoice best_rice(std::span<const std::uint32_t> positions) {
  const auto size = [&](unsigned rice) {
    const std::uint64_t count = positions.size();
    return (count * rice + 7) / 8 + (count + quotient_sum(positions, rice) + 7) / 8;
  };
  // The size is convex in the parameter (but for the rounding to bytes), so the walk ends at the least one.
  const std::uint64_t mean_gap = (positions.back() + std::uint64_t{1}) / positions.size();
  unsigned rice = std::min<unsigned>(mean_gap < 2 ? 0 : static_cast<unsigned>(std::bit_width(mean_gap)) - 1, kMaxRice);
  std::uint64_t bytes = size(rice);
  for (std::uint64_t next; rice > 0 && (next = size(rice - 1)) <= bytes; --rice) bytes = next;
  for (std::uint64_t next; rice < kMaxRice && (next = size(rice + 1)) < bytes; ++rice) bytes = next;
  return {static_cast<std::uint8_t>(rice), bytes};
}

std::uint64_t short_list_bytes(std::uint32_t units, std::size_t changed) {
  return 4 * std::uint64_t{group_count(units, kWindowLog2)} + 2 * std::uint64_t{changed};
}

void keep_smaller(PositionCode& best, const PositionCode& other) {
  if (best.bytes == 0 || other.bytes < best.bytes) best = other;
}

/// Adds the bitmap of the selected groups to `code.bytes`.
void choose_bitmap_form(const Bytes& bitmap, PositionCode& code) {
  const std::uint64_t coded = kSizeField + ByteEncoder(bitmap).size();
  code.coded_groups = coded < bitmap.size();
  code.bytes += std::min<std::uint64_t>(coded, bitmap.size());
}

void write_rice(std::span<const std::uint32_t> positions, unsigned rice, Bytes& out) {
  const std::uint32_t mask = (1u << rice) - 1;
  BitWriter remainders(out);
  std::uint32_t next = 0;
  for (std::uint32_t position : positions) {
    remainders.put((position - next) & mask, rice);
    next = position + 1;
  }
  remainders.finish();
  BitWriter quotients(out);
  next = 0;
  for (std::uint32_t position : positions) {
    const std::uint32_t zeros = (position - next) >> rice;
    if (zeros >= 32) quotients.put_zeros(zeros / 32 * 32);
    quotients.put(std::uint64_t{1} << zeros % 32, zeros % 32 + 1);
    next = position + 1;
  }
  quotients.finish();
}

void write_bitmap(const Bytes& bitmap, bool coded, Bytes& out) {
  if (!coded) {
    out.insert(out.end(), bitmap.begin(), bitmap.end());
    return;
  }
  const std::size_t size_at = out.size();
  out.resize(size_at + kSizeField);
  ByteEncoder(bitmap).append_to(out);
  store_le(&out[size_at], static_cast<std::uint32_t>(out.size() - size_at - kSizeField));
}

void write_short_list(std::span<const std::uint32_t> positions, std::uint32_t units, Bytes& out) {
  const std::size_t counts_at = out.size();
  const std::uint32_t windows = group_count(units, kWindowLog2);
  out.resize(counts_at + 4 * std::size_t{windows} + 2 * positions.size());
  std::size_t at = counts_at + 4 * std::size_t{windows};
  std::vector<std::uint32_t> counts(windows);
  for (std::uint32_t position : positions) {
    ++counts[position >> kWindowLog2];
    store_le(&out[at], static_cast<std::uint16_t>(position));
    at += 2;
  }
  for (std::uint32_t w = 0; w < windows; ++w) store_le(&out[counts_at + 4 * std::size_t{w}], counts[w]);
}

/// A bitmap of `count` bits as its bytes; adds what it takes to `used`.
Bytes read_bitmap(ByteSpan payload, bool coded, std::uint32_t count, std::size_t& used, const BlockPlace& place) {
  Bytes bitmap((count + 7) / 8);
  ByteSpan rest = payload.subspan(used);
  if (coded) {
    if (rest.size() < kSizeField) place.fail("a bitmap is cut off");
    const std::uint32_t size = load_le<std::uint32_t>(rest.data());
    rest = rest.subspan(kSizeField);
    if (size > rest.size()) place.fail("a bitmap is cut off");
    if (const std::string_view wrong = decode_bytes(rest.first(size), bitmap); !wrong.empty()) place.fail(wrong);
    used += kSizeField + size;
  } else {
    if (rest.size() < bitmap.size()) place.fail("a bitmap is cut off");
    std::copy_n(rest.begin(), bitmap.size(), bitmap.begin());
    used += bitmap.size();
  }
  if (count % 8 != 0 && std::to_integer<unsigned>(bitmap.back()) >> count % 8 != 0) place.fail("padding bits of a bitmap are not zero");
  return bitmap;
}

/// Calls visit(index) for each set bit.
template <class Visit>
void for_each_bit(const Bytes& bitmap, Visit visit) {
  for (std::size_t at = 0; at < bitmap.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, &bitmap[at], std::min<std::size_t>(8, bitmap.size() - at));
    for (; word != 0; word &= word - 1) visit(static_cast<std::uint32_t>(8 * at) + static_cast<std::uint32_t>(std::countr_zero(word)));
  }
}

void add_run(std::vector<UnitRun>& runs, UnitRun run) {
  if (!runs.empty() && runs.back().end == run.begin) {
    runs.back().end = run.end;
  } else {
    runs.push_back(run);
  }
}

/// Runs of the selected groups; returns how many units they hold.
std::uint32_t runs_of(std::span<const std::uint32_t> groups, unsigned log2, std::uint32_t units, std::vector<UnitRun>& runs) {
  runs.clear();
  std::uint32_t total = 0;
  for (std::uint32_t group : groups) {
    const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(units, (std::uint64_t{group} + 1) << log2));
    add_run(runs, {group << log2, end});
    total += end - (group << log2);
  }
  return total;
}

std::size_t read_rice(ByteSpan payload, unsigned rice, std::uint32_t count, std::uint32_t limit, std::uint32_t* out, const BlockPlace& place) {
  const auto remainder_bytes = static_cast<std::size_t>((std::uint64_t{count} * rice + 7) / 8);
  if (payload.size() < remainder_bytes || payload.size() - remainder_bytes < (count + 7) / 8) place.fail("the positions are cut off");
  const RiceStreams streams{payload.first(remainder_bytes), rice, payload.subspan(remainder_bytes), count, limit};
  const std::size_t used = kernels().rice(streams, out);
  if (used == 0) place.fail("the positions are malformed");
  return remainder_bytes + used;
}

std::size_t read_short_list(ByteSpan payload, unsigned, std::uint32_t count, std::uint32_t limit, std::uint32_t* out, const BlockPlace& place) {
  const std::uint32_t windows = group_count(limit, kWindowLog2);
  const std::size_t size = 4 * std::size_t{windows} + 2 * std::size_t{count};
  if (payload.size() < size) place.fail("the positions are cut off");
  std::uint64_t found = 0;
  const std::byte* from = payload.data() + 4 * std::size_t{windows};
  unsigned wrong = 0;  // no branches in the loops: they must vectorise
  for (std::uint32_t w = 0; w < windows; ++w) {
    const std::uint64_t in_window = load_le<std::uint32_t>(&payload[4 * std::size_t{w}]);
    if (in_window > count - found) place.fail("the counts of positions are wrong");
    std::uint32_t* __restrict to = out + found;
    for (std::uint64_t i = 0; i < in_window; ++i) to[i] = w << kWindowLog2 | load_le<std::uint16_t>(from + 2 * i);
    from += 2 * in_window;
    found += in_window;
  }
  if (found != count) place.fail("the counts of positions are wrong");
  for (std::uint32_t i = 1; i < count; ++i) wrong |= static_cast<unsigned>(out[i - 1] >= out[i]);
  const bool increasing = wrong == 0 && out[count - 1] < limit;
  if (!increasing) place.fail("the positions do not increase");
  return size;
}

template <bool kCoded>
std::size_t read_bitmap_positions(ByteSpan payload, unsigned, std::uint32_t count, std::uint32_t limit, std::uint32_t* out,
                                  const BlockPlace& place) {
  std::size_t used = 0;
  const Bytes bitmap = read_bitmap(payload, kCoded, limit, used, place);
  std::uint64_t ones = 0;
  for (std::byte b : bitmap) ones += static_cast<unsigned>(std::popcount(std::to_integer<unsigned>(b)));
  if (ones != count) place.fail("the count of changed elements is wrong");
  for_each_bit(bitmap, [&](std::uint32_t i) { *out++ = i; });
  return used;
}

/// The changed units as numbers among the selected ones.
struct Numbers {
  const BlockScan& scan;
  std::uint32_t selected;
  std::optional<std::vector<std::uint32_t>> places;  ///< where not all units are selected

  std::span<const std::uint32_t> list() const { return places ? std::span<const std::uint32_t>(*places) : scan.positions(); }
  Bytes bitmap() const { return places ? bitmap_of(*places, selected) : bitmap_bytes(scan); }
};

/// A way to write exactly the changed units.
struct ListForm {
  Within within;
  bool uses_rice;
  void (*write)(const Numbers& numbers, unsigned rice, Bytes& out);
  /// Fills out[0..count) with increasing numbers below `limit`; returns the bytes used.
  std::size_t (*read)(ByteSpan payload, unsigned rice, std::uint32_t count, std::uint32_t limit, std::uint32_t* out, const BlockPlace& place);
};
constexpr ListForm kListForms[] = {
    {Within::rice, true, [](const Numbers& n, unsigned rice, Bytes& out) { write_rice(n.list(), rice, out); }, read_rice},
    {Within::bitmap, false, [](const Numbers& n, unsigned, Bytes& out) { write_bitmap(n.bitmap(), false, out); }, read_bitmap_positions<false>},
    {Within::coded_bitmap, false, [](const Numbers& n, unsigned, Bytes& out) { write_bitmap(n.bitmap(), true, out); }, read_bitmap_positions<true>},
    {Within::short_list, false, [](const Numbers& n, unsigned, Bytes& out) { write_short_list(n.list(), n.selected, out); }, read_short_list},
};

/// nullptr for Within::all and for what is not in the table.
const ListForm* find_form(Within within) {
  for (const ListForm& form : kListForms) {
    if (form.within == within) return &form;
  }
  return nullptr;
}

/// Turns places in the selected groups into positions in the block.
void spread(const std::vector<std::uint32_t>& groups, unsigned log2, std::uint32_t* positions, std::uint32_t count) {
  const std::uint32_t mask = (1u << log2) - 1;
  for (std::uint32_t i = 0; i < count; ++i) positions[i] = groups[positions[i] >> log2] << log2 | (positions[i] & mask);
}

}  // namespace

PositionCode choose_positions(const BlockScan& scan, Profile profile) {
  const std::uint64_t units = scan.units(), changed = scan.changed();
  PositionCode best;
  if (changed == units) return best;  // all, no bytes
  keep_smaller(best, {Within::bitmap, 0, 0, false, (units + 7) / 8});
  if (profile == Profile::fast) {
    keep_smaller(best, {Within::short_list, 0, 0, false, short_list_bytes(scan.units(), changed)});
    return best;
  }
  if (32 * changed >= units) {
    keep_smaller(best, {Within::coded_bitmap, 0, 0, false, kSizeField + ByteEncoder(bitmap_bytes(scan)).size()});
  }
  if (4 * changed > units) return best;
  const RiceChoice rice = best_rice(scan.positions());
  keep_smaller(best, {Within::rice, rice.bits, 0, false, rice.bytes});
  if (8 * changed > units) return best;
  GroupBits groups(scan);
  for (unsigned log2 = kMinGroupLog2; log2 <= kMaxGroupLog2; ++log2, groups.join()) {
    const std::uint32_t count = group_count(scan.units(), log2);
    if (2 * groups.touched() > count) break;  // larger groups are touched even more
    const RiceChoice inner = best_rice(places_in_groups(scan.positions(), log2));
    PositionCode code{Within::rice, inner.bits, static_cast<std::uint8_t>(log2), false, inner.bytes};
    if (code.bytes >= best.bytes) continue;
    choose_bitmap_form(groups.bitmap(count), code);
    keep_smaller(best, code);
  }
  return best;
}

PositionCode choose_groups(const BlockScan& scan, Profile profile) {
  PositionCode code;
  const std::uint32_t count = group_count(scan.units(), kDenseGroupLog2);
  if (scan.groups().size() == count) return code;
  code.group_log2 = kDenseGroupLog2;
  if (profile == Profile::compact) {
    choose_bitmap_form(bitmap_of(scan.groups(), count), code);
  } else {
    code.bytes = (count + 7) / 8;
  }
  return code;
}

bool is_known(const PositionCode& code) {
  const ListForm* form = find_form(code.within);
  return (form != nullptr || code.within == Within::all) && code.rice <= (form != nullptr && form->uses_rice ? kMaxRice : 0);
}

void write_positions(const BlockScan& scan, const PositionCode& code, Bytes& out) {
  std::vector<std::uint32_t> groups;
  if (code.group_log2 != 0) {
    groups = code.group_log2 == kDenseGroupLog2 ? scan.groups() : touched_groups(scan.positions(), code.group_log2);
    write_bitmap(bitmap_of(groups, group_count(scan.units(), code.group_log2)), code.coded_groups, out);
  }
  const ListForm* form = find_form(code.within);
  if (form == nullptr) return;
  Numbers numbers{scan, scan.units(), std::nullopt};
  if (code.group_log2 != 0) {
    std::vector<UnitRun> runs;
    numbers.selected = runs_of(groups, code.group_log2, scan.units(), runs);
    numbers.places = places_in_groups(scan.positions(), code.group_log2);
  }
  form->write(numbers, code.rice, out);
}

void cover(const BlockScan& scan, const PositionCode& code, Covered& covered) {
  if (code.within != Within::all) {
    covered.form = Covered::Form::list;
    covered.positions.assign(scan.positions().begin(), scan.positions().end());
    covered.count = scan.changed();
  } else if (code.group_log2 == 0) {
    covered.form = Covered::Form::all;
    covered.count = scan.units();
  } else {
    covered.form = Covered::Form::runs;
    covered.count = runs_of(scan.groups(), code.group_log2, scan.units(), covered.runs);
  }
}

std::size_t read_positions(ByteSpan payload, const PositionCode& code, std::uint32_t units, std::uint32_t changed,
                           Covered& covered, const BlockPlace& place) {
  std::size_t used = 0;
  std::uint32_t selected = units;
  std::vector<std::uint32_t> groups;
  if (code.group_log2 != 0) {
    const Bytes bitmap = read_bitmap(payload, code.coded_groups, group_count(units, code.group_log2), used, place);
    for_each_bit(bitmap, [&](std::uint32_t group) { groups.push_back(group); });
    selected = runs_of(groups, code.group_log2, units, covered.runs);
  }
  if (changed > selected) place.fail("more elements changed than are covered");
  const ListForm* form = find_form(code.within);
  if (form == nullptr) {
    covered.form = code.group_log2 == 0 ? Covered::Form::all : Covered::Form::runs;
    covered.count = selected;
    return used;
  }
  covered.form = Covered::Form::list;
  covered.count = changed;
  if (covered.positions.size() < std::size_t{changed} + 16) covered.positions.resize(std::size_t{changed} + 16);
  std::uint32_t* const out = covered.positions.data();
  used += form->read(payload.subspan(used), code.rice, changed, selected, out, place);
  if (code.group_log2 != 0) spread(groups, code.group_log2, out, changed);
  return used;
}

}  // namespace dstore
