#include "delta/kernels.h"

#include "delta/residual.h"

namespace dstore {
namespace {

constexpr const Kernels* kRows[] = {
    &kPlainKernels,
#if defined(__x86_64__)
    &kAvx2Kernels,
#endif
};

const Kernels& fastest() {
  const Kernels* best = kRows[0];
  for (const Kernels* row : kRows) {
    if (row->runs_here()) best = row;
  }
  return *best;
}

std::array<TokenForm, segment_layout::kTokens> make_forms() {
  std::array<TokenForm, segment_layout::kTokens> forms;
  for (unsigned token = 0; token < forms.size(); ++token) {
    const unsigned extra = extra_bits(token);
    forms[token] = {residual_of(token, extra, 0), (std::uint64_t{1} << extra) - 1, extra};
  }
  return forms;
}

}  // namespace

const std::array<TokenForm, segment_layout::kTokens>& token_forms() {
  static const auto forms = make_forms();
  return forms;
}

std::span<const Kernels* const> all_kernels() { return kRows; }

const Kernels& kernels() {
  static const Kernels& row = fastest();
  return row;
}

}  // namespace dstore
