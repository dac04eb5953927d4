#include "stats_json.h"

#include <nlohmann/json.hpp>

#include "tensor/dtype.h"

namespace dstore::cli {

using nlohmann::ordered_json;

namespace {

ordered_json part_json(const PartStats& part) {
  ordered_json out{{"name", part.name}, {"tensors", part.tensors}, {"modified", part.modified}, {"new_elements", part.new_units}, {"stored_bytes", part.bytes}};
  out.update(difference_json(part.difference));
  return out;
}

ordered_json parts_json(const std::vector<PartStats>& parts) {
  ordered_json out = ordered_json::array();
  for (const PartStats& part : parts) out.push_back(part_json(part));
  return out;
}

ordered_json tensor_json(const TensorChange& tensor, bool stacks) {
  constexpr const char* kStates[] = {"same", "renamed", "changed", "added"};
  PartStats part;
  part.name = tensor.info.name;
  part.add(tensor);
  ordered_json out = part_json(part);
  out.erase("tensors");
  out.erase("modified");
  const TensorPlace place = tensor_place(tensor.info.name);
  out["state"] = kStates[static_cast<std::size_t>(tensor.how)];
  out["layer"] = part_name(place, stacks);
  out["role"] = role_name(place.role);
  out["dtype"] = dtype_info(tensor.info.dtype).name;
  out["shape"] = tensor.info.shape;
  out["base"] = ordered_json();
  if (tensor.base) out["base"] = {{"name", tensor.base->name}, {"dtype", dtype_info(tensor.base->dtype).name}, {"shape", tensor.base->shape}};
  out["rank"] = tensor.rank > 0 ? ordered_json(tensor.rank) : ordered_json();
  return out;
}

}  // namespace

ordered_json difference_json(const DifferenceStats& stats) {
  const auto number = [&](double value) { return stats.numeric ? ordered_json(value) : ordered_json(); };
  ordered_json ulps = ordered_json::object();
  for (std::size_t i = 0; i < stats.ulps.size(); ++i) {
    if (stats.ulps[i] > 0) ulps[std::to_string(std::uint64_t{1} << i)] = stats.ulps[i];
  }
  return {{"elements", stats.units}, {"changed", stats.changed}, {"density", stats.density()}, {"l1", number(stats.l1)}, {"l2", number(stats.l2())},
          {"max_abs", number(stats.max_abs)}, {"sign_changes", stats.sign_changes}, {"non_finite", stats.non_finite}, {"ulps", std::move(ulps)}};
}

ordered_json changes_json(const TaskChanges& changes) {
  ordered_json out{{"layers", parts_json(parts_by_layer(changes))}, {"roles", parts_json(parts_by_role(changes))}, {"tensors", ordered_json::array()}};
  const bool stacks = has_stacks(changes);
  for (const TensorChange& tensor : changes.tensors) out["tensors"].push_back(tensor_json(tensor, stacks));
  out["removed"] = changes.removed;
  out["all"] = part_json(whole_task(changes));
  return out;
}

ordered_json pairs_json(const std::vector<std::string>& names, const std::vector<TaskPair>& pairs) {
  ordered_json out = ordered_json::array();
  for (const TaskPair& pair : pairs) {
    out.push_back({{"a", names[pair.a]}, {"b", names[pair.b]}, {"shared", pair.shared}, {"either", pair.either}, {"jaccard", pair.jaccard()},
                   {"cosine", pair.cosine()}, {"comparable", pair.comparable}, {"opposite", pair.opposite},
                   {"conflict_rate", pair.conflict_rate()}, {"conflict_energy", pair.conflict_energy()}});
  }
  return out;
}

}  // namespace dstore::cli
