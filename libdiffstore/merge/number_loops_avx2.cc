#if defined(__x86_64__)

#include <limits>
#include <type_traits>

#include "merge/number_loops.h"

namespace dstore {
namespace {
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace {
#include "merge/number_loops.inc"
}  // namespace

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

constinit const NumberLoopSet kAvx2NumberLoops = {"avx2", has_avx2, Loops<F16>::kTable, Loops<Bf16>::kTable, Loops<F32>::kTable, Loops<F64>::kTable};

}  // namespace dstore

#endif
