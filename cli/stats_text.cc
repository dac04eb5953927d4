#include "stats_text.h"

#include <unistd.h>

#include <algorithm>
#include <limits>

#include "number_text.h"
#include "output.h"

namespace dstore::cli {
namespace {

constexpr std::size_t kHistogramRows = 12;
constexpr std::size_t kLeastBar = 5, kMostBar = 24;
constexpr std::size_t kLeastName = 24;

std::string power_text(std::size_t exponent, std::uint64_t less) {
  if (exponent <= 10) return std::to_string((std::uint64_t{1} << exponent) - less);
  return "2^" + std::to_string(exponent);
}

/// Widths of the columns of rows that a Table would print under these headings, with the gaps between them.
std::size_t table_width(const Table& table) {
  std::size_t width = 0;
  const std::string text = table.text();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    width = std::max(width, display_width(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  return width;
}

std::vector<std::string> part_cells(const PartStats& part, std::size_t name_width) {
  const DifferenceStats& d = part.difference;
  const bool known = d.units > 0 || part.new_units == 0;
  const bool sized = d.numeric && d.changed > 0;
  return {shorten_front(printable(part.name), name_width), grouped(part.modified) + "/" + grouped(part.tensors), grouped(d.units + part.new_units),
          known ? grouped(d.changed) : "new", known ? share_text(d.density()) : "", sized ? number_text(d.l2()) : "",
          sized ? number_text(d.max_abs) : "", part.bytes > 0 ? human_size(part.bytes) : ""};
}

}  // namespace

std::vector<UlpRow> ulp_rows(const DifferenceStats& stats) {
  const auto used = [](std::uint64_t count) { return count > 0; };
  const auto begin = std::find_if(stats.ulps.begin(), stats.ulps.end(), used);
  const auto last = std::find_if(stats.ulps.rbegin(), stats.ulps.rend(), used);
  if (begin == stats.ulps.end()) return {};
  const auto first = static_cast<std::size_t>(begin - stats.ulps.begin());
  const auto end = static_cast<std::size_t>(last.base() - stats.ulps.begin());
  const std::size_t joined = (end - first + kHistogramRows - 1) / kHistogramRows;
  std::vector<UlpRow> rows;
  for (std::size_t at = first; at < end; at += joined) {
    const std::size_t to = at + joined;
    UlpRow row{to == 1 ? "1" : power_text(at, 0) + (to <= 10 ? "-" : "..") + power_text(to, 1), 0};
    for (std::size_t i = at; i < std::min(to, stats.ulps.size()); ++i) row.count += stats.ulps[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string ulp_notes(const DifferenceStats& stats) {
  std::string text;
  const auto add = [&](std::uint64_t count, const char* what) {
    if (count > 0) text += (text.empty() ? "" : ", ") + grouped(count) + what;
  };
  add(stats.sign_changes, " changed sign");
  add(stats.non_finite, " not finite");
  return text;
}

std::string ulp_text(const DifferenceStats& stats) {
  const std::vector<UlpRow> rows = ulp_rows(stats);
  const std::string notes = ulp_notes(stats);
  std::uint64_t most = 0, all = 0;
  for (const UlpRow& row : rows) most = std::max(most, row.count), all += row.count;
  Table table({"ulps", ">weights", ">share", ""});
  for (const UlpRow& row : rows) {
    const double length = static_cast<double>(row.count) / static_cast<double>(most);
    table.add({row.label, grouped(row.count), share_text(static_cast<double>(row.count) / static_cast<double>(all)), bar_text(length, kMostBar)});
  }
  return (rows.empty() ? "" : table.text()) + (notes.empty() ? "" : notes + "\n");
}

std::string change_text(const TaskChanges& changes) {
  const PartStats all = whole_task(changes);
  std::uint64_t added = 0, added_units = 0;
  for (const TensorChange& tensor : changes.tensors) {
    added += tensor.how == TensorChange::How::added;
    added_units += tensor.new_units;
  }
  std::string text = grouped(all.difference.changed) + " of " + grouped(all.difference.units) + " weights changed (" +
                     share_text(all.difference.density()) + ") in " + grouped(all.modified) + " of " + grouped(all.tensors - added) + " tensors";
  if (added_units > 0) text += "; " + grouped(added_units) + " weights new";
  if (added > 0) text += ", in " + grouped(added) + (added == 1 ? " tensor" : " tensors");
  if (changes.removed > 0) text += "; " + grouped(changes.removed) + " removed";
  return text;
}

std::string part_table(const TaskChanges& changes, const Grouping& grouping) {
  std::vector<PartStats> parts = grouping.parts(changes);
  const std::size_t all = parts.size();
  // A list of tensors leaves out what is as in the base.
  if (std::string_view(grouping.name) == "tensor") std::erase_if(parts, [](const PartStats& part) { return part.modified == 0 && part.new_units == 0; });
  const std::size_t left_out = all - parts.size();
  parts.push_back(whole_task(changes));
  const auto table_of = [&](std::size_t name_width, std::size_t bar) {
    double most = 0;
    for (const PartStats& part : parts) most = std::max(most, part.difference.density());
    Table table({grouping.name, ">tensors", ">weights", ">changed", ">density", ">L2", ">max |d|", ">stored", ""});
    for (const PartStats& part : parts) {
      std::vector<std::string> cells = part_cells(part, name_width);
      cells.push_back(bar == 0 || most == 0 ? "" : bar_text(part.difference.density() / most, bar));
      table.add(std::move(cells));
    }
    return table;
  };
  // On a terminal names give way, at their front, and a bar takes what is left.
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  const std::size_t room = terminal_width(), wide = std::numeric_limits<std::size_t>::max();
  std::size_t name_width = wide, width = table_width(table_of(wide, 0));
  if (terminal && width > room) {
    std::size_t longest = 0;
    for (const PartStats& part : parts) longest = std::max(longest, display_width(printable(part.name)));
    name_width = std::max(kLeastName, longest - std::min(longest, width - room));
    width = room;
  }
  const std::size_t bar = width + 2 + kLeastBar <= room ? std::min(kMostBar, room - width - 2) : 0;
  std::string text = table_of(name_width, bar).text();
  if (left_out > 0) text += grouped(left_out) + (left_out == 1 ? " tensor is" : " tensors are") + " as in the base\n";
  return text;
}

std::string pair_table(const std::vector<std::string>& names, const std::vector<TaskPair>& pairs) {
  const bool all = pairs.size() == names.size() * (names.size() - std::min<std::size_t>(1, names.size())) / 2;
  const std::string apart = all ? "" : "tasks on different bases are not compared\n";
  if (pairs.empty()) return apart;
  Table table({"both change", "", ">shared", ">Jaccard", ">cosine", ">opposite signs", ">energy in them"});
  for (const TaskPair& pair : pairs) {
    table.add({printable(names[pair.a]), printable(names[pair.b]), grouped(pair.shared), number_text(pair.jaccard()), number_text(pair.cosine()),
               pair.comparable > 0 ? share_text(pair.conflict_rate()) : "", pair.comparable > 0 ? share_text(pair.conflict_energy()) : ""});
  }
  return table.text() + apart;
}

}  // namespace dstore::cli
