#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "merge/merge_method.h"
#include "repo/align.h"

namespace dstore {

/// The models of a three-way merge: the common ancestor, ours and theirs (of a rebase: the old base, the task, the new base).
enum class Side : std::size_t { base, ours, theirs };
inline constexpr std::array<Side, 3> kSides = {Side::base, Side::ours, Side::theirs};

template <class T>
struct PerSide {
  std::array<T, 3> of;
  T& operator[](Side side) { return of[static_cast<std::size_t>(side)]; }
  const T& operator[](Side side) const { return of[static_cast<std::size_t>(side)]; }
};
using ThreeModels = PerSide<const TensorSource*>;

/// The versions of one tensor, where a side has it.
using TensorTriple = PerSide<std::optional<std::size_t>>;
/// `ours` and `theirs` say which tensor of the ancestor each of their tensors is a version of. What both add under one name is one.
std::vector<TensorTriple> pair_three(const ThreeModels& models, const std::vector<Pairing>& ours, const std::vector<Pairing>& theirs);

/// What becomes of what both sides changed differently (spec/merging.md, "Three-way").
struct ConflictPolicy {
  std::string_view name;
  std::string_view rebase_name;  ///< what a rebase calls it
  std::optional<Side> side;      ///< whose bits are taken
  bool adds = false;             ///< both changes
};
std::span<const ConflictPolicy> conflict_policies();

/// A policy, or a merge method for the elements in conflict.
struct Resolution {
  const ConflictPolicy* policy = nullptr;
  const MergeMethod* method = nullptr;
  const MergeSettings* settings = nullptr;  ///< of the method, for two models

  bool resolves() const { return method != nullptr || policy->side || policy->adds; }
  std::optional<Side> side() const { return method != nullptr ? std::nullopt : policy->side; }
};
/// A policy by its name (in a rebase: either name); null where it is none.
const ConflictPolicy* find_conflict_policy(std::string_view name, bool rebase);

/// Where one tensor of the result comes from.
struct PlannedTensor {
  TensorInfo info;
  TensorTriple at;
  std::optional<Side> whole;   ///< taken as it is there; else element by element
  std::uint64_t common = 0;    ///< bytes of the rows that all have; the others are those of
  Side rest = Side::ours;      ///<   this side, which also has the shape
  bool ours_is_base = false, theirs_is_base = false;  ///< known to have the ancestor's bytes
};

/// A tensor that both sides changed so that elements cannot be compared.
struct TensorConflict {
  std::string name;
  std::string what;     ///< "ours has it as F32 [4, 8], theirs removed it"
  bool rows = false;    ///< only the numbers of rows differ
};

struct ThreeWayPlan {
  std::vector<PlannedTensor> tensors;       ///< by name
  std::vector<TensorConflict> conflicts;    ///< of whole tensors, resolved by the policy where it names a side
};
/// `common_rows`: tensors that differ in the number of rows are merged where all have rows.
ThreeWayPlan plan_three_way(const ThreeModels& models, const std::vector<TensorTriple>& triples, const Resolution& resolution, bool common_rows);

}  // namespace dstore
