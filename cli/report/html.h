#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dstore::cli {

// page.html and page.css of this folder, built in.
extern const std::string_view kPageTemplate;
extern const std::string_view kPageStyle;

/// Text for HTML, in elements and in quoted attributes; control characters and broken UTF-8 as printable() has them.
std::string escaped(std::string_view text);
/// A name that somebody else chose: escaped, and kept from turning the text around it.
std::string name_html(std::string_view name);
/// "{{key}}" replaced by values, which are HTML and are not looked into. Error{invalid_argument} for a key without value.
std::string fill_template(std::string_view page, const std::map<std::string, std::string>& values);

/// <section> with a heading and, below it, a line of explanation.
std::string section(std::string_view title, const std::string& note, const std::string& content);
/// Content that may be wider than the page: it scrolls by itself, also with the keyboard.
std::string scrolling(std::string_view label, const std::string& content);
/// <details>: closed at first.
std::string folded(const std::string& summary, const std::string& content);

/// A table; cells are HTML. The first cell of a row is its heading.
class HtmlTable {
 public:
  struct Cell {
    std::string html;
    std::string classes = "";
  };
  HtmlTable(std::string classes, std::vector<Cell> headings) : classes_(std::move(classes)), headings_(std::move(headings)) {}
  void caption(std::string html) { caption_ = std::move(html); }
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  std::string html() const;

 private:
  std::string classes_;
  std::string caption_;
  std::vector<Cell> headings_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace dstore::cli
