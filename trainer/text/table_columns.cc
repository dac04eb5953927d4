#include "trainer/text/table_columns.h"

#include <algorithm>

#include "base/bytes.h"

namespace dstore {
namespace {

class ColumnChooser {
 public:
  ColumnChooser(const TableBytes& bytes, std::uint32_t line, const std::vector<std::string>& names)
      : bytes_(bytes), line_(line), names_(names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (find(names[i]) != i) bytes_.fail(line_, "two columns are named \"" + printable(names[i]) + "\"");
    }
  }

  TableColumns choose(const TableOptions& options) const {
    TableColumns out;
    const std::string label = options.label_column.empty() ? "label" : options.label_column;
    out.label = options.labels == LabelForm::ignored ? find(label) : named(label, "--label-column");
    if (!options.pair_column.empty()) {
      out.pair = named(options.pair_column, "--pair-column");
    } else if (options.text_column.empty()) {
      out.pair = first_of({"text2", "sentence2"});
    }
    out.text = options.text_column.empty() ? default_text(out) : named(options.text_column, "--text-column");
    if (out.text == out.pair || out.text == out.label || (out.pair && out.pair == out.label)) {
      bytes_.fail(line_, "text, pair and label must be different columns");
    }
    return out;
  }

 private:
  std::optional<std::size_t> find(std::string_view name) const {
    const auto it = std::find(names_.begin(), names_.end(), name);
    if (it == names_.end()) return std::nullopt;
    return static_cast<std::size_t>(it - names_.begin());
  }
  std::optional<std::size_t> first_of(std::initializer_list<std::string_view> candidates) const {
    for (const std::string_view name : candidates) {
      if (const auto index = find(name)) return index;
    }
    return std::nullopt;
  }
  std::size_t named(std::string_view name, std::string_view option) const {
    if (const auto index = find(name)) return *index;
    std::string columns;
    for (const std::string& known : names_) columns += (columns.empty() ? "" : ", ") + printable(known);
    bytes_.fail(line_, "no column \"" + printable(name) + "\" (columns: " + columns + "); name one with " + std::string(option));
  }
  std::size_t default_text(const TableColumns& taken) const {
    if (const auto index = first_of({"text", "sentence", "text1", "sentence1"})) return *index;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (i != taken.pair && i != taken.label) return i;
    }
    bytes_.fail(line_, "no column is left for the text; name one with --text-column");
  }

  const TableBytes& bytes_;
  std::uint32_t line_;
  const std::vector<std::string>& names_;
};

}  // namespace

TableColumns choose_columns(const TableBytes& bytes, std::uint32_t line, const std::vector<std::string>& names, const TableOptions& options) {
  return ColumnChooser(bytes, line, names).choose(options);
}

}  // namespace dstore
