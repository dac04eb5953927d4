#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainer/text/table.h"
#include "trainer/text/table_records.h"

namespace dstore {

/// Which columns are read; indices into the header.
struct TableColumns {
  std::size_t text = 0;
  std::optional<std::size_t> pair, label;  ///< label also where it is to be ignored
};

/// Finds the columns that the options or the defaults name. Error{invalid_argument} at `line` that lists the columns.
TableColumns choose_columns(const TableBytes& bytes, std::uint32_t line, const std::vector<std::string>& names, const TableOptions& options);

}  // namespace dstore
