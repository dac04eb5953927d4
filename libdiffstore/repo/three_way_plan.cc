#include "repo/three_way_plan.h"

#include <algorithm>
#include <map>

#include "dstore/error.h"
#include "repo/same_tensor.h"

namespace dstore {
namespace {

constexpr ConflictPolicy kPolicies[] = {{"fail", "fail", std::nullopt},
                                        {"ours", "keep-task", Side::ours},
                                        {"theirs", "keep-base", Side::theirs},
                                        {"base", "old-base", Side::base},
                                        {"add", "add", std::nullopt, true}};

class Planner {
 public:
  Planner(const ThreeModels& models, const Resolution& resolution, bool common_rows) : models_(models), resolution_(resolution), common_rows_(common_rows) {}

  void add(const TensorTriple& at) {
    if (at[Side::base] && at[Side::ours] && at[Side::theirs]) return add_common(at);
    const bool ours = at[Side::ours].has_value(), theirs = at[Side::theirs].has_value();
    if (!at[Side::base]) {
      if (ours && theirs && !same(at, Side::ours, Side::theirs)) return conflict(at, false);
      return take(at, ours ? Side::ours : Side::theirs);
    }
    if (!ours && !theirs) return;
    if (!same(at, ours ? Side::ours : Side::theirs, Side::base)) conflict(at, false);
  }

  ThreeWayPlan finish() {
    std::sort(plan_.tensors.begin(), plan_.tensors.end(), [](const PlannedTensor& a, const PlannedTensor& b) { return a.info.name < b.info.name; });
    const auto twice = std::adjacent_find(plan_.tensors.begin(), plan_.tensors.end(), [](const PlannedTensor& a, const PlannedTensor& b) { return a.info.name == b.info.name; });
    if (twice != plan_.tensors.end()) throw Error(ErrorCode::conflict, "the result would have two tensors called " + printable(twice->info.name) + "; rename one of them first");
    return std::move(plan_);
  }

 private:
  const TensorInfo& info(const TensorTriple& at, Side side) const { return models_[side]->tensors()[*at[side]]; }
  bool same(const TensorTriple& at, Side a, Side b) const { return same_tensor(*models_[a], *at[a], *models_[b], *at[b]); }
  bool known(const TensorTriple& at, Side side) const { return known_equal(*models_[side], *at[side], *models_[Side::base], *at[Side::base]); }

  void add_common(const TensorTriple& at) {
    const TensorInfo &o = info(at, Side::base), &a = info(at, Side::ours), &b = info(at, Side::theirs);
    const auto equal_form = [](const TensorInfo& x, const TensorInfo& y) { return x.dtype == y.dtype && x.shape == y.shape; };
    if (equal_form(o, a) && equal_form(o, b)) {
      if (known(at, Side::ours) && known(at, Side::theirs)) return take(at, Side::ours);
      return merge(at, Side::ours, o.bytes);
    }
    if (same(at, Side::ours, Side::base)) return take(at, Side::theirs);
    if (same(at, Side::theirs, Side::base) || same(at, Side::ours, Side::theirs)) return take(at, Side::ours);
    const auto fits = [](const TensorInfo& x, const TensorInfo& y) { return only_rows_differ(x, y) || (x.dtype == y.dtype && x.shape == y.shape); };
    const bool rows = fits(o, a) && fits(o, b);
    if (!rows || !common_rows_) return conflict(at, rows);
    const std::uint64_t least = std::min({o.shape.front(), a.shape.front(), b.shape.front()});
    merge(at, a.shape == o.shape ? Side::theirs : Side::ours, o.bytes / o.shape.front() * least);
  }

  PlannedTensor planned(const TensorTriple& at, Side form) const {
    PlannedTensor out;
    out.info = info(at, form);
    if (at[Side::ours]) out.info.name = info(at, Side::ours).name;
    out.at = at;
    return out;
  }

  void take(const TensorTriple& at, Side side) {
    plan_.tensors.push_back(planned(at, side));
    plan_.tensors.back().whole = side;
  }

  void merge(const TensorTriple& at, Side rest, std::uint64_t common) {
    PlannedTensor tensor = planned(at, rest);
    tensor.rest = rest;
    tensor.common = common;
    tensor.ours_is_base = known(at, Side::ours);
    tensor.theirs_is_base = known(at, Side::theirs);
    plan_.tensors.push_back(std::move(tensor));
  }

  void conflict(const TensorTriple& at, bool rows) {
    TensorConflict out;
    out.rows = rows;
    constexpr const char* kNames[] = {"the common base", "ours", "theirs"};
    for (const Side side : {Side::ours, Side::theirs, Side::base}) {
      const std::string name = kNames[static_cast<std::size_t>(side)];
      if (at[side]) out.name = out.name.empty() ? info(at, side).name : out.name;
      const char* absent = side != Side::base && at[Side::base] ? " removed it" : " has none";
      out.what += (out.what.empty() ? "" : ", ") + name + (at[side] ? ": " + form_text(info(at, side)) : absent);
    }
    plan_.conflicts.push_back(std::move(out));
    if (const auto side = resolution_.side(); side && at[*side]) take(at, *side);
  }

  const ThreeModels& models_;
  const Resolution& resolution_;
  bool common_rows_;
  ThreeWayPlan plan_;
};

}  // namespace

std::span<const ConflictPolicy> conflict_policies() { return kPolicies; }

const ConflictPolicy* find_conflict_policy(std::string_view name, bool rebase) {
  for (const ConflictPolicy& row : kPolicies) {
    if (row.name == name || (rebase && row.rebase_name == name)) return &row;
  }
  return nullptr;
}

std::vector<TensorTriple> pair_three(const ThreeModels& models, const std::vector<Pairing>& ours, const std::vector<Pairing>& theirs) {
  std::vector<TensorTriple> out(models[Side::base]->tensors().size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i][Side::base] = i;
  std::map<std::string, std::size_t> added;  // by name, those without an ancestor
  for (const auto& [side, pairs] : {std::pair{Side::ours, &ours}, std::pair{Side::theirs, &theirs}}) {
    for (const Pairing& pair : *pairs) {
      if (pair.base) {
        out[*pair.base][side] = pair.task;
        continue;
      }
      const auto [place, fresh] = added.try_emplace(pair.name, out.size());
      if (fresh) out.emplace_back();
      out[place->second][side] = pair.task;
    }
  }
  return out;
}

ThreeWayPlan plan_three_way(const ThreeModels& models, const std::vector<TensorTriple>& triples, const Resolution& resolution, bool common_rows) {
  Planner planner(models, resolution, common_rows);
  for (const TensorTriple& at : triples) planner.add(at);
  return planner.finish();
}

}  // namespace dstore
