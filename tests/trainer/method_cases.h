#pragma once

#include <string>
#include <vector>

#include "trainer/methods/method.h"

namespace dstore::test {

struct MethodCase {
  const MethodRow* method;
  std::vector<std::string> set;
};

/// Every method, and variants with other stages or other state.
inline std::vector<MethodCase> method_cases() {
  std::vector<MethodCase> all;
  for (const MethodRow& method : methods()) all.push_back({&method, {}});
  const std::pair<const char*, std::vector<std::string>> variants[] = {
      {"diff-pruning", {"structure=none"}}, {"fish", {"estimate=expect", "budget=all"}}, {"lt-sft", {"iterations=2", "full_l1=0.1", "mask_l1=0.1"}},
      {"top-k", {"start=found"}}, {"top-k", {"start=none"}}, {"masking", {"head=paper"}},
      {"diff-pruning", {"l0=product", "lambda=1e-3,1e-4,1e-5,1e-6", "mask_init=w"}}, {"far", {"rollback=no", "priming=0.3"}},
      {"far", {"rest=trainable", "priming=0.3"}}};
  for (const auto& [name, set] : variants) all.push_back({&find_method(name), set});
  return all;
}

}  // namespace dstore::test
