#pragma once

#include <array>

#include "commit_view.h"

namespace dstore::cli {

/// One line a commit: id, method, density, size, metric, signer, age, columns aligned over all rows; then refs and message,
/// shortened to the terminal.
class LogLines {
 public:
  LogLines(std::size_t width, std::size_t lines) : width_(width), narrow_(is_narrow(width)), lines_(lines) {}

  /// Other lines may be set at the same time.
  void set(std::size_t line, const RefNames& refs, const CommitFacts& commit);
  /// `graph` stands left of the commit, `after` are the lines below it.
  void draw(std::size_t line, std::string graph, std::vector<std::string> after);
  std::string text(const Session& session) const;

 private:
  static constexpr std::size_t kColumns = 6;  ///< method .. age
  static constexpr std::size_t kParts = kColumns + 3;
  /// All parts in one string: ten thousand lines take little memory, which is what a log's time goes into.
  struct Line {
    std::string text;  ///< the cells of the columns, id, refs, message
    std::array<std::uint32_t, kParts> ends{};
    const char* signer_color = "";
    std::string_view part(std::size_t number) const {
      const std::size_t begin = number == 0 ? 0 : ends[number - 1];
      return std::string_view(text).substr(begin, ends[number] - begin);
    }
  };
  struct Drawing {
    std::string graph;
    std::vector<std::string> after;
  };
  std::array<std::size_t, kColumns> column_widths(std::size_t graph_width) const;

  std::size_t width_;
  bool narrow_;
  std::vector<Line> lines_;
  std::vector<Drawing> drawings_;  ///< of each line; empty if none was drawn
};

}  // namespace dstore::cli
