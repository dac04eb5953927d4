#include "repo/align.h"

#include <map>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// Tensors of `longer` that are in `shorter` without a prefix, with the same shape: by prefix. Worth trying are up to three leading
/// components, "bert." and "model.encoder." of "model.encoder.x". One pass: a checkpoint may have as many prefixes as tensors.
std::map<std::string, std::size_t> count_matches(const TensorSource& longer, const TensorSource& shorter) {
  constexpr int kMaxComponents = 3;
  std::map<std::string, std::size_t> counts;
  for (const TensorInfo& tensor : longer.tensors()) {
    std::size_t at = 0;
    for (int i = 0; i <= kMaxComponents; ++i) {
      const auto index = shorter.find(std::string_view(tensor.name).substr(at));
      if (index && shorter.tensors()[*index].shape == tensor.shape) ++counts[tensor.name.substr(0, at)];
      at = tensor.name.find('.', at);
      if (at++ == std::string::npos) break;
    }
  }
  return counts;
}

void choose_prefix(const TensorSource& base, const TensorSource& task, Alignment& out) {
  const auto in_task = count_matches(task, base);
  const auto in_base = count_matches(base, task);
  const auto whole = in_task.find("");
  std::size_t best = whole == in_task.end() ? 0 : whole->second;
  for (const bool of_base : {false, true}) {
    for (const auto& [prefix, count] : of_base ? in_base : in_task) {
      if (count <= best) continue;
      best = count;
      out.prefix = prefix;
      out.prefix_in_base = of_base;
    }
  }
}

}  // namespace

Alignment align(const TensorSource& base, const TensorSource& task, const std::map<std::string, std::string>& by_hand) {
  Alignment out;
  choose_prefix(base, task, out);
  std::vector<bool> used(base.tensors().size(), false);
  for (std::size_t i = 0; i < task.tensors().size(); ++i) out.pairs.push_back({task.tensors()[i].name, std::nullopt, i});

  const auto pair_up = [&](Pairing& pair, std::string_view base_name) {
    if (pair.base) return;
    const auto index = base.find(base_name);
    if (!index || used[*index]) return;
    used[*index] = true;
    pair.base = index;
    ++out.matched;
    if (base_name != pair.name) ++out.matched_elsewhere;
  };
  for (const auto& [task_name, base_name] : by_hand) {
    const auto task_index = task.find(task_name);
    if (!task_index) throw Error(ErrorCode::invalid_argument, "--map: the folder has no tensor " + printable(task_name));
    if (!base.find(base_name)) throw Error(ErrorCode::invalid_argument, "--map: the base has no tensor " + printable(base_name));
    pair_up(out.pairs[*task_index], base_name);
  }
  for (Pairing& pair : out.pairs) pair_up(pair, pair.name);
  if (!out.prefix.empty()) {
    for (Pairing& pair : out.pairs) {
      if (out.prefix_in_base) {
        pair_up(pair, out.prefix + pair.name);
      } else if (pair.name.starts_with(out.prefix)) {
        pair_up(pair, pair.name.substr(out.prefix.size()));
      }
    }
  }
  out.dropped = base.tensors().size() - out.matched;
  return out;
}

std::vector<Pairing> pairs_of_delta(const TensorSource& base, const TensorSource& result, const DeltaTable& delta) {
  std::map<std::string, const DeltaTable::Change*> changes;
  for (const DeltaTable::Change& change : delta.changes) {
    if (change.op != DeltaOp::remove) changes.emplace(change.name, &change);
  }
  std::vector<Pairing> pairs;
  for (std::size_t i = 0; i < result.tensors().size(); ++i) {
    const std::string& name = result.tensors()[i].name;
    const auto change = changes.find(name);
    const bool added = change != changes.end() && change->second->op == DeltaOp::add;
    pairs.push_back({name, added ? std::nullopt : base.find(change == changes.end() ? name : change->second->from()), i});
  }
  return pairs;
}

std::map<std::string, std::string> parse_name_map(std::string_view text, std::string_view what) {
  std::map<std::string, std::string> out;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.find_first_of(" \t");
    const std::size_t second = line.find_first_not_of(" \t", space);
    if (space == std::string_view::npos || second == std::string_view::npos || line.find_first_of(" \t", second) != std::string_view::npos) {
      throw Error(ErrorCode::invalid_argument, std::string(what) + ":" + std::to_string(number) + ": expected TASK_NAME BASE_NAME");
    }
    if (!out.emplace(line.substr(0, space), line.substr(second)).second) {
      throw Error(ErrorCode::invalid_argument, std::string(what) + ":" + std::to_string(number) + ": this tensor is mapped twice");
    }
  }
  return out;
}

}  // namespace dstore
