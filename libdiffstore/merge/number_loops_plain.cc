#include <limits>
#include <type_traits>

#include "merge/number_loops.h"

namespace dstore {
namespace {
#include "merge/number_loops.inc"
}  // namespace

constinit const NumberLoopSet kPlainNumberLoops = {"plain", [] { return true; }, Loops<F16>::kTable, Loops<Bf16>::kTable, Loops<F32>::kTable, Loops<F64>::kTable};

}  // namespace dstore
