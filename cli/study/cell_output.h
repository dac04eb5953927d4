#pragma once

#include "study/cells.h"

namespace dstore::cli {

/// Cells that `--only` chose; all where it was not given. Of a chosen run also the runs that choose its learning rate.
std::vector<const Cell*> chosen_cells(const Cells& cells, const std::string& only);
/// Still to be run: waiting or todo.
std::size_t count_left(const std::vector<const Cell*>& cells);
/// "0.8312" of a share of texts; empty for nothing.
std::string share_of_texts(const std::optional<double>& share);

/// The cells and what is left. With --json {study, cells: [{name, branch, state, method, task, seed, steps, density, lr, dev, test, train,
/// seconds, commit, error}], left, seconds_left}: what is not known is null.
void print_cells(const Session& session, const Study& study, const Cells& cells, const std::vector<const Cell*>& chosen);

}  // namespace dstore::cli
