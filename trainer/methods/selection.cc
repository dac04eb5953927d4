#include "trainer/methods/selection.h"

#include <algorithm>
#include <functional>

namespace dstore {

std::uint64_t Selection::size() const {
  std::uint64_t total = 0;
  for (const std::vector<std::uint32_t>& entries : indices) total += entries.size();
  return total;
}

void Selection::exchange_state(StateArchive& archive, const Network& network) {
  archive.list("selection.parameters", parameters, network.parameters().size());
  indices.resize(parameters.size());
  values.resize(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    StateArchive::require(parameters[i] < network.parameters().size(), "selection.parameters");
    const std::size_t count = network.parameters()[parameters[i]].count;
    archive.list("selection.indices", indices[i], count);
    StateArchive::require(std::is_sorted(indices[i].begin(), indices[i].end(), std::less_equal<>()) &&
                          (indices[i].empty() || indices[i].back() < count), "selection.indices");
    values[i].resize(indices[i].size());
    archive.array("selection.values", std::span(values[i]));
  }
}

}  // namespace dstore
