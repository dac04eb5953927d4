#pragma once

#include <cstdint>
#include <vector>

#include "trainer/methods/state.h"
#include "trainer/model/network.h"

namespace dstore {

/// Entries of some parameters, and the values with which they start.
struct Selection {
  std::vector<std::size_t> parameters;
  std::vector<std::vector<std::uint32_t>> indices;  ///< per parameter, ascending
  std::vector<std::vector<float>> values;           ///< as many

  std::uint64_t size() const;
  /// Which entries, with values.
  void exchange_state(StateArchive& archive, const Network& network);
};

}  // namespace dstore
