#include "repo/align.h"

#include <set>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// Leading components that are worth trying as a prefix: "bert." and "model.encoder." of "model.encoder.x".
void collect_prefixes(const TensorSource& source, std::set<std::string>& out) {
  constexpr int kMaxComponents = 3;
  for (const TensorInfo& tensor : source.tensors()) {
    std::size_t dot = 0;
    for (int i = 0; i < kMaxComponents; ++i) {
      dot = tensor.name.find('.', dot);
      if (dot == std::string::npos) break;
      out.insert(tensor.name.substr(0, ++dot));
    }
  }
}

/// Tensors of `longer` that are in `shorter` without the prefix, with the same shape.
std::size_t matches(const TensorSource& longer, const TensorSource& shorter, const std::string& prefix) {
  std::size_t count = 0;
  for (const TensorInfo& tensor : longer.tensors()) {
    if (!tensor.name.starts_with(prefix)) continue;
    const auto index = shorter.find(std::string_view(tensor.name).substr(prefix.size()));
    if (index && shorter.tensors()[*index].shape == tensor.shape) ++count;
  }
  return count;
}

void choose_prefix(const TensorSource& base, const TensorSource& task, Alignment& out) {
  std::size_t best = matches(task, base, "");
  std::set<std::string> prefixes;
  collect_prefixes(task, prefixes);
  for (const std::string& prefix : prefixes) {
    if (const std::size_t count = matches(task, base, prefix); count > best) {
      best = count;
      out.prefix = prefix;
      out.prefix_in_base = false;
    }
  }
  prefixes.clear();
  collect_prefixes(base, prefixes);
  for (const std::string& prefix : prefixes) {
    if (const std::size_t count = matches(base, task, prefix); count > best) {
      best = count;
      out.prefix = prefix;
      out.prefix_in_base = true;
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
