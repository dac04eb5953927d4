#include "log_line.h"

#include <algorithm>

#include "output.h"

namespace dstore::cli {
namespace {

enum Column { kRefs, kMethod, kDensity, kSize, kMetric, kSigner, kAge };
constexpr const char* kColumnColors[] = {"1;32", "", "", "", "", "", "2"};
constexpr bool kRight[] = {false, false, true, true, false, false, true};
constexpr std::size_t kIdWidth = 8;
constexpr std::size_t kMessageWidth = 8;  ///< wanted at least

struct Shrink {
  Column column;
  std::size_t least;
};
/// What gives way first where the message would have no room.
constexpr Shrink kShrinks[] = {{kSigner, 9}, {kRefs, 16}, {kMetric, 10}, {kMethod, 10}, {kRefs, 10}};

struct Abbreviation {
  std::string_view name, text;
};
constexpr Abbreviation kMetricNames[] = {
    {"accuracy", "acc"}, {"matthews", "mcc"}, {"matthews_correlation", "mcc"}, {"pearson", "r"}, {"spearman", "rho"}};

std::string without(std::string text, char unwanted) {
  text.erase(std::remove(text.begin(), text.end(), unwanted), text.end());
  return text;
}

std::string metric_text(const Commit& commit, bool narrow) {
  const Metric* metric = headline_metric(commit);
  if (metric == nullptr) return "";
  std::string name = metric->name;
  if (narrow) {
    const auto known = std::find_if(std::begin(kMetricNames), std::end(kMetricNames), [&](const Abbreviation& a) { return a.name == name; });
    name = known == std::end(kMetricNames) ? shorten(printable(name), 6) : std::string(known->text);
  }
  const std::size_t digits = narrow ? 6 : 10;
  return printable(name + " " + metric->value.substr(0, digits));
}

/// "3 hours ago" as "3h".
std::string short_age(const std::string& age) {
  const std::size_t space = age.find(' ');
  if (space == std::string::npos || age.front() < '0' || age.front() > '9') return age == "now" ? age : "-";
  const std::string unit = age.substr(space + 1);
  return age.substr(0, space) + (unit.starts_with("month") ? "mo" : unit.substr(0, 1));
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string pad(width - std::min(width, display_width(text)), ' ');
  return right ? pad + text : text + pad;
}

}  // namespace

void LogLines::add(const Repository& repository, CommitSizer& sizer, const RefNames& refs, const CheckedCommit& commit, std::string graph,
                   std::vector<std::string> after) {
  const VerdictMark mark = verdict_mark(commit.signature);
  const auto density = task_density(repository, sizer, commit);
  const std::string names = joined_refs(refs, commit.id);
  const std::string when = age(commit.commit.time, now());
  Line line{std::move(graph), commit.id.hex().substr(0, kIdWidth), {}, mark.color, printable(commit.commit.subject()), std::move(after)};
  line.cells[kRefs] = names.empty() ? "" : "(" + names + ")";
  line.cells[kMethod] = method_text(commit.commit);
  line.cells[kDensity] = !density ? "" : narrow_ ? without(percent(*density), ' ') : percent(*density);
  line.cells[kSize] = human_size(sizer.sizes(commit.id, commit.commit).stored());
  line.cells[kMetric] = metric_text(commit.commit, narrow_);
  line.cells[kSigner] = narrow_ ? mark.text.substr(0, mark.text.find('@')) : mark.text;
  line.cells[kAge] = narrow_ ? short_age(when) : when;
  lines_.push_back(std::move(line));
}

std::array<std::size_t, LogLines::kColumns> LogLines::column_widths(std::size_t graph_width) const {
  std::array<std::size_t, kColumns> widths{};
  std::size_t used = graph_width + kIdWidth + 1;
  for (std::size_t c = 0; c < kColumns; ++c) {
    for (const Line& line : lines_) widths[c] = std::max(widths[c], display_width(line.cells[c]));
    if (widths[c] > 0) used += widths[c] + 1;
  }
  for (const Shrink& shrink : kShrinks) {
    if (used + kMessageWidth <= width_) break;
    std::size_t& width = widths[shrink.column];
    const std::size_t less = std::min(used + kMessageWidth - width_, width - std::min(width, shrink.least));
    width -= less;
    used -= less;
  }
  return widths;
}

std::string LogLines::text(const Session& session) const {
  std::size_t graph_width = 0;
  for (const Line& line : lines_) graph_width = std::max(graph_width, line.graph.size());
  const auto widths = column_widths(graph_width);
  std::string out;
  for (const Line& line : lines_) {
    out += padded(line.graph, graph_width, false) + session.paint("33", line.id);
    std::size_t used = graph_width + kIdWidth;
    for (std::size_t c = 0; c < kColumns; ++c) {
      if (widths[c] == 0) continue;
      const std::string cell = padded(shorten(line.cells[c], widths[c]), widths[c], kRight[c]);
      const char* color = c == kSigner ? line.signer_color : kColumnColors[c];
      out += " " + (*color == '\0' ? cell : session.paint(color, cell));
      used += widths[c] + 1;
    }
    if (used + 4 < width_) out += " " + shorten(line.message, width_ - used - 1);
    out += "\n";
    for (const std::string& below : line.after) out += below + "\n";
  }
  return out;
}

}  // namespace dstore::cli
