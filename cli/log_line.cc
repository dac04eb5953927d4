#include "log_line.h"

#include <algorithm>

#include "output.h"

namespace dstore::cli {
namespace {

enum Column { kMethod, kDensity, kSize, kMetric, kSigner, kAge };
constexpr const char* kColumnColors[] = {"", "", "", "", "", "2"};
constexpr bool kRight[] = {false, true, true, false, false, true};
constexpr std::size_t kIdWidth = 7;
constexpr std::size_t kTailWidth = 14;  ///< of refs and message, wanted at least
constexpr std::size_t kTailLeast = 4;   ///< less says nothing

struct Shrink {
  Column column;
  std::size_t least;
};
/// What gives way first where refs and message would have no room.
constexpr Shrink kShrinks[] = {{kSigner, 8}, {kMethod, 8}, {kMetric, 8}};

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string pad(width - std::min(width, display_width(text)), ' ');
  return right ? pad + text : text + pad;
}

}  // namespace

void LogLines::set(std::size_t number, const RefNames& refs, const CommitFacts& commit) {
  std::string size = human_size(commit.sizes.stored());
  if (narrow_) size.erase(size.find(' '), 1);
  const std::string names = joined_refs(refs, commit.id);
  Line& line = lines_[number];
  line.id = commit.id.short_hex();
  line.signer_color = verdict_mark(commit.signature).color;
  if (!names.empty()) line.refs = "(" + names + ")";
  line.message = printable(commit.commit.subject());
  line.cells[kMethod] = method_text(commit.commit);
  line.cells[kDensity] = commit.density ? density_text(*commit.density, narrow_) : "";
  line.cells[kSize] = std::move(size);
  line.cells[kMetric] = metric_text(commit.commit, narrow_);
  line.cells[kSigner] = signer_text(commit.signature, narrow_);
  line.cells[kAge] = age_text(commit.commit, narrow_);
}

void LogLines::draw(std::size_t line, std::string graph, std::vector<std::string> after) {
  lines_[line].graph = std::move(graph);
  lines_[line].after = std::move(after);
}

std::array<std::size_t, LogLines::kColumns> LogLines::column_widths(std::size_t graph_width) const {
  std::array<std::size_t, kColumns> widths{};
  std::size_t used = graph_width + kIdWidth + 1;
  for (std::size_t c = 0; c < kColumns; ++c) {
    for (const Line& line : lines_) widths[c] = std::max(widths[c], display_width(line.cells[c]));
    if (widths[c] > 0) used += widths[c] + 1;
  }
  for (const Shrink& shrink : kShrinks) {
    if (used + kTailWidth <= width_) break;
    std::size_t& width = widths[shrink.column];
    const std::size_t less = std::min(used + kTailWidth - width_, width - std::min(width, shrink.least));
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
    std::size_t left = width_ > used ? width_ - used : 0;
    if (!line.refs.empty() && left > kTailLeast) {
      const std::string refs = shorten(line.refs, left - 1);
      left -= display_width(refs) + 1;
      out += " " + session.paint("1;32", refs);
    }
    if (left > kTailLeast) out += " " + shorten(line.message, left - 1);
    out += "\n";
    for (const std::string& below : line.after) out += below + "\n";
  }
  return out;
}

}  // namespace dstore::cli
