#include "repo/adapter_names.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr int kMaxComponents = 3;

/// "", "a.", "a.b.", "a.b.c." of "a.b.c.d.e".
std::vector<std::string> prefixes(const std::string& name) {
  std::vector<std::string> out{""};
  for (std::size_t at = name.find('.'); at != name.npos && out.size() <= kMaxComponents; at = name.find('.', at + 1)) out.push_back(name.substr(0, at + 1));
  return out;
}

}  // namespace

AdapterNames::AdapterNames(const TensorSource& base, const AdapterTensors& tensors, const std::string& what) : base_(base) {
  const auto fits = [&] {
    return std::all_of(tensors.modules.begin(), tensors.modules.end(), [&](const auto& row) { return base_of(row.first + ".weight").has_value(); });
  };
  const std::string first = tensors.modules.begin()->first + ".weight";
  for (const std::string& prefix : prefixes(first)) {
    added_ = prefix;
    if (fits()) return;
  }
  added_.clear();
  std::set<std::string> longer;
  for (const TensorInfo& info : base.tensors()) {
    if (info.name.ends_with("." + first)) longer.insert(info.name.substr(0, info.name.size() - first.size()));
  }
  std::vector<std::string> fitting;
  for (const std::string& prefix : longer) {
    missing_ = prefix;
    if (prefixes(prefix + "x").back() == prefix && fits()) fitting.push_back(prefix);
  }
  missing_ = fitting.size() == 1 ? fitting.front() : "";
  if (fitting.size() == 1) return;
  if (fitting.size() > 1) {
    throw Error(ErrorCode::invalid_argument, what + ": fits the base under more than one prefix: " + printable(fitting[0]) + " and " + printable(fitting[1]));
  }
  const auto lost = std::find_if(tensors.modules.begin(), tensors.modules.end(), [&](const auto& row) { return !base_of(row.first + ".weight"); });
  throw Error(ErrorCode::invalid_argument, what + ": changes the module " + printable(lost->first) + ", but the base has no tensor " + printable(lost->first) +
                                               ".weight, with or without a prefix; is this adapter for another base?");
}

std::optional<std::size_t> AdapterNames::base_of(const std::string& name) const {
  if (!name.starts_with(added_)) return std::nullopt;
  return base_.find(missing_ + name.substr(added_.size()));
}

}  // namespace dstore
