// The binary objects: the first byte says which.
#include <array>

#include "fuzz.h"
#include "object/checkpoint_table.h"
#include "object/chunked.h"
#include "object/delta_table.h"
#include "object/weights_table.h"

namespace dstore::fuzz {
namespace {

template <class Table>
void read_and_write(ByteSpan bytes) {
  accepted([&] { require(same(Table::parse(bytes, "input").serialize(), bytes), "what is read is the only form"); });
}

constexpr std::array kTables = {read_and_write<TensorObject>, read_and_write<FileObject>, read_and_write<WeightsTable>,
                                read_and_write<CheckpointTable>, read_and_write<DeltaTable>};

}  // namespace

void test_input(ByteSpan input) {
  if (input.empty()) return;
  kTables[std::to_integer<std::size_t>(input[0]) % kTables.size()](input.subspan(1));
}

}  // namespace dstore::fuzz
