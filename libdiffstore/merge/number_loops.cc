#include "merge/number_loops.h"

namespace dstore {
namespace {

constexpr const NumberLoopSet* kSets[] = {
    &kPlainNumberLoops,
#if defined(__x86_64__)
    &kAvx2NumberLoops,
#endif
};

const NumberLoopSet& fastest() {
  const NumberLoopSet* best = kSets[0];
  for (const NumberLoopSet* set : kSets) {
    if (set->runs_here()) best = set;
  }
  return *best;
}

const NumberLoopSet& loops() {
  static const NumberLoopSet& set = fastest();
  return set;
}

}  // namespace

std::span<const NumberLoopSet* const> all_number_loops() { return kSets; }

template <>
const NumberLoops<float>& number_loops<float>(DType dtype) {
  return dtype == DType::f16 ? loops().f16 : dtype == DType::bf16 ? loops().bf16 : loops().f32;
}
template <>
const NumberLoops<double>& number_loops<double>(DType) {
  return loops().f64;
}

}  // namespace dstore
