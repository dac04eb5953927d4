#include "report/html.h"

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore::cli {
namespace {

std::string attribute(const char* name, const std::string& value) { return value.empty() ? "" : std::string(" ") + name + "=\"" + value + "\""; }

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string name_html(std::string_view name) { return "<bdi>" + escaped(name) + "</bdi>"; }

std::string fill_template(std::string_view page, const std::map<std::string, std::string>& values) {
  std::string out;
  while (true) {
    const std::size_t open = page.find("{{");
    out += page.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = page.find("}}", open);
    if (close == std::string_view::npos) throw Error(ErrorCode::invalid_argument, "a template has {{ without }}");
    const auto value = values.find(std::string(page.substr(open + 2, close - open - 2)));
    if (value == values.end()) throw Error(ErrorCode::invalid_argument, "a template has a key without a value");
    out += value->second;
    page.remove_prefix(close + 2);
  }
}

std::string section(std::string_view title, const std::string& note, const std::string& content) {
  return "<section>\n<h2>" + escaped(title) + "</h2>\n" + (note.empty() ? "" : "<p class=\"note\">" + note + "</p>\n") + content + "</section>\n";
}

std::string scrolling(std::string_view label, const std::string& content) {
  return "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + escaped(label) + "\">\n" + content + "</div>\n";
}

std::string folded(const std::string& summary, const std::string& content) {
  return "<details>\n<summary>" + summary + "</summary>\n" + content + "</details>\n";
}

std::string HtmlTable::html() const {
  std::string out = "<table" + attribute("class", classes_) + ">\n";
  if (!caption_.empty()) out += "<caption>" + caption_ + "</caption>\n";
  out += "<thead><tr>";
  for (const Cell& cell : headings_) {
    out += cell.html.empty() ? "<td></td>" : "<th scope=\"col\"" + attribute("class", cell.classes) + ">" + cell.html + "</th>";
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows_) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const char* tag = i == 0 ? "th" : "td";
      out += std::string("<") + tag + (i == 0 ? " scope=\"row\"" : "") + attribute("class", row[i].classes) + ">" + row[i].html + "</" + tag + ">";
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

}  // namespace dstore::cli
