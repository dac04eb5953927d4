#include "merge/merge_method.h"

#include "base/bytes.h"
#include "base/edit_distance.h"
#include "dstore/error.h"

namespace dstore {
namespace {

const MergeMethod* const kRows[] = {&kLinearMerge,         &kTaskArithmeticMerge, &kTiesMerge,       &kDareLinearMerge, &kDareTiesMerge,
                                    &kBreadcrumbsMerge,    &kBreadcrumbsTiesMerge, &kMagnitudePruneMerge, &kSlerpMerge,  &kNuslerpMerge,
                                    &kModelStockMerge,     &kRamMerge,            &kRamPlusMerge,    &kSceMerge,        &kNearswapMerge,
                                    &kDellaLinearMerge,    &kDellaMerge,          &kConsensusMerge,  &kPcbMerge,        &kFisherMerge,
                                    &kRegMeanMerge};

}  // namespace

std::span<const MergeMethod* const> merge_methods() { return kRows; }

const MergeMethod& find_merge_method(std::string_view name) {
  std::vector<std::string> names;
  for (const MergeMethod* row : kRows) {
    if (row->name == name) return *row;
    names.emplace_back(row->name);
  }
  const auto near = nearest(std::string(name), names);
  throw Error(ErrorCode::invalid_argument, "no merge method is called \"" + printable(name) + "\"" +
                                               (near ? "; did you mean " + *near + "?" : "; `dstore merge --list-methods` lists them"));
}

}  // namespace dstore
