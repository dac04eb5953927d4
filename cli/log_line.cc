#include "log_line.h"

#include <algorithm>

#include "output.h"

namespace dstore::cli {
namespace {

enum Column { kMethod, kDensity, kSize, kMetric, kSigner, kAge };
enum Part { kId = kAge + 1, kRefs, kMessage };
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

std::string padded(std::string text, std::size_t width, bool right) {
  text.insert(right ? 0 : text.size(), width - std::min(width, display_width(text)), ' ');
  return text;
}

}  // namespace

void LogLines::set(std::size_t number, const RefNames& refs, const CommitFacts& commit) {
  std::string size = human_size(commit.sizes.stored());
  if (narrow_) size.erase(size.find(' '), 1);
  const std::string names = joined_refs(refs, commit.id);
  const std::string parts[] = {method_text(commit.commit),
                               commit.density ? density_text(*commit.density, narrow_) : "",
                               std::move(size),
                               metric_text(commit, narrow_),
                               signer_text(commit.signature, narrow_),
                               age_text(commit.commit, narrow_),
                               commit.id.short_hex(),
                               names.empty() ? "" : "(" + names + ")",
                               printable(commit.commit.subject())};
  static_assert(std::size(parts) == kParts);
  Line& line = lines_[number];
  line.signer_color = verdict_mark(commit.signature).color;
  std::size_t end = 0;
  for (std::size_t i = 0; i < kParts; ++i) line.ends[i] = static_cast<std::uint32_t>(end += parts[i].size());
  line.text.reserve(end);
  for (const std::string& part : parts) line.text += part;
}

void LogLines::draw(std::size_t line, std::string graph, std::vector<std::string> after) {
  drawings_.resize(lines_.size());
  drawings_[line] = {std::move(graph), std::move(after)};
}

std::array<std::size_t, LogLines::kColumns> LogLines::column_widths(std::size_t graph_width) const {
  std::array<std::size_t, kColumns> widths{};
  std::size_t used = graph_width + kIdWidth + 1;
  for (std::size_t c = 0; c < kColumns; ++c) {
    for (const Line& line : lines_) widths[c] = std::max(widths[c], display_width(line.part(c)));
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
  for (const Drawing& drawing : drawings_) graph_width = std::max(graph_width, drawing.graph.size());
  const auto widths = column_widths(graph_width);
  std::string out;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const Line& line = lines_[i];
    if (!drawings_.empty()) out += padded(drawings_[i].graph, graph_width, false);
    out += session.paint("33", std::string(line.part(kId)));
    std::size_t used = graph_width + kIdWidth;
    for (std::size_t c = 0; c < kColumns; ++c) {
      if (widths[c] == 0) continue;
      const std::string cell = padded(shorten(line.part(c), widths[c]), widths[c], kRight[c]);
      const char* color = c == kSigner ? line.signer_color : kColumnColors[c];
      out += " " + (*color == '\0' ? cell : session.paint(color, cell));
      used += widths[c] + 1;
    }
    std::size_t left = width_ > used ? width_ - used : 0;
    if (!line.part(kRefs).empty() && left > kTailLeast) {
      const std::string refs = shorten(line.part(kRefs), left - 1);
      left -= display_width(refs) + 1;
      out += " " + session.paint("1;32", refs);
    }
    if (left > kTailLeast) out += " " + shorten(line.part(kMessage), left - 1);
    out += "\n";
    if (drawings_.empty()) continue;
    for (const std::string& below : drawings_[i].after) out += below + "\n";
  }
  return out;
}

}  // namespace dstore::cli
