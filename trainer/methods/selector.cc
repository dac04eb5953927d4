#include "trainer/methods/selector.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "base/bytes.h"
#include "base/edit_distance.h"
#include "dstore/error.h"
#include "trainer/text/philox.h"

namespace dstore {
namespace {

using Words = std::vector<std::string_view>;

Words split(std::string_view text, char separator) {
  Words parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

bool has_word(const RoleInfo& role, std::string_view word) {
  const Words words = split(role.word, '.');
  return std::find(words.begin(), words.end(), word) != words.end();
}

struct Group {
  std::string_view name;
  bool (*holds)(const RoleInfo&);
};

constexpr std::array kGroups = {
    Group{"*", [](const RoleInfo&) { return true; }},
    Group{"bias", [](const RoleInfo& r) { return r.kind == RoleKind::bias; }},
    Group{"layer-norm", [](const RoleInfo& r) { return has_word(r, "ln"); }},
    Group{"attention", [](const RoleInfo& r) { return has_word(r, "attn") && !has_word(r, "ln"); }},
    Group{"feed-forward", [](const RoleInfo& r) { return has_word(r, "ffn") && !has_word(r, "ln"); }},
    Group{"linear", [](const RoleInfo& r) { return r.kind == RoleKind::weight && (r.part == RolePart::layer || r.part == RolePart::pooler); }},
};

/// Whether `role` is in the group, or begins with the words of `pattern`.
bool names(std::string_view pattern, const RoleInfo& role) {
  for (const Group& group : kGroups) {
    if (group.name == pattern) return group.holds(role);
  }
  const Words wanted = split(pattern, '.'), words = split(role.word, '.');
  const auto same = [](std::string_view w, std::string_view word) { return w == "*" || w == word; };
  return wanted.size() <= words.size() && std::equal(wanted.begin(), wanted.end(), words.begin(), same);
}

[[noreturn]] void fail(std::string_view term, const std::string& message) {
  throw Error(ErrorCode::invalid_argument, "--train: \"" + printable(std::string(term)) + "\" " + message);
}

[[noreturn]] void fail_no_match(std::string_view term, std::string_view pattern) {
  std::vector<std::string> known;  // groups, then what roles begin with, then roles
  for (const Group& group : kGroups) known.emplace_back(group.name);
  const auto add = [&](std::string_view word) {
    if (std::find(known.begin(), known.end(), word) == known.end()) known.emplace_back(word);
  };
  for (std::size_t i = 0; i < kRoleCount; ++i) add(split(role_info(static_cast<Role>(i)).word, '.').front());
  std::string broad;
  for (const std::string& word : known) broad += (broad.empty() ? "" : ", ") + word;
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    const std::string_view word = role_info(static_cast<Role>(i)).word;
    add(word.substr(0, word.rfind('.')));
    add(word);
  }
  const auto near = nearest(pattern, known);
  fail(term, "names no tensor of this model" +
                 (near ? "; did you mean " + *near + "?" : "; there are " + broad + " and the roles that `dstore train --list-models` shows"));
}

/// `text` as a layer's number; `otherwise` where it is empty.
std::int64_t layer_number(std::string_view term, std::string_view text, std::int64_t layers, std::int64_t otherwise) {
  if (text.empty()) return otherwise;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) fail(term, "has no layer number, nor a range, in its brackets");
  return number < 0 ? number + layers : number;
}

struct LayerRange {
  std::int64_t begin, end;
};

LayerRange layer_range(std::string_view term, std::string_view text, std::int64_t layers) {
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    return {layer_number(term, text.substr(0, colon), layers, 0), layer_number(term, text.substr(colon + 1), layers, layers)};
  }
  const std::int64_t number = layer_number(term, text, layers, -1);
  if (number < 0 || number >= layers) fail(term, "names no layer: the model has layers 0 to " + std::to_string(layers - 1));
  return {number, number + 1};
}

void select_term(const ParameterTable& table, std::string_view term, std::string_view method, std::vector<bool>& selected) {
  constexpr std::string_view kLayer = "layer[";
  std::string_view pattern = term;
  std::optional<LayerRange> range;
  if (term.starts_with(kLayer)) {
    const std::size_t close = term.find(']');
    if (close == std::string_view::npos) fail(term, "has no closing bracket");
    range = layer_range(term, term.substr(kLayer.size(), close - kLayer.size()), table.config.layers);
    pattern = term.substr(close + 1);
    if (!pattern.empty() && pattern.front() != '.') fail(term, "needs a dot after the bracket");
    pattern = pattern.empty() ? "*" : pattern.substr(1);
  }
  bool any = false;
  for (std::size_t i = 0; i < table.parameters.size(); ++i) {
    const Parameter& p = table.parameters[i];
    if (range && (p.layer < range->begin || p.layer >= range->end || p.layer < 0)) continue;
    if (!names(pattern, role_info(p.role))) continue;
    selected[i] = true;
    any = true;
  }
  if (any) return;
  if (method.empty()) fail_no_match(term, pattern);
  throw Error(ErrorCode::invalid_argument, "--method " + std::string(method) + ": this model has no tensor of the kind that it trains (" +
              std::string(term) + ")");
}

struct RandomTerm {
  double share = -1;
  std::uint64_t seed = 1;
  bool modules = true;
};

/// One KEY=VALUE of a random term.
bool read_random_key(std::string_view part, RandomTerm& random) {
  const std::size_t equals = part.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view key = part.substr(0, equals), value = part.substr(equals + 1);
  const auto number = [&](auto& out) {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
    return error == std::errc() && end == value.data() + value.size();
  };
  if (key == "p") return number(random.share) && random.share > 0 && random.share <= 1;
  if (key == "seed") return number(random.seed);
  if (key != "unit" || (value != "module" && value != "tensor")) return false;
  random.modules = value == "module";
  return true;
}

void select_random(const ParameterTable& table, std::string_view term, const RandomTerm& random, std::vector<bool>& selected) {
  if (random.share < 0) fail(term, "needs a share: random:p=0.25");
  std::map<std::pair<std::int64_t, std::string_view>, std::vector<std::size_t>> units;  // by layer and role, without its last word
  for (std::size_t i = 0; i < table.parameters.size(); ++i) {
    const Parameter& p = table.parameters[i];
    const std::string_view word = role_info(p.role).word;
    if (p.layer >= 0) units[{p.layer, random.modules ? word.substr(0, word.rfind('.')) : word}].push_back(i);
  }
  std::vector<std::vector<std::size_t>> order;
  for (auto& [name, indices] : units) order.push_back(std::move(indices));
  PhiloxSequence sequence(Philox(random.seed, RandomStream::selection));
  shuffle(std::span(order), sequence);
  order.resize(std::max<std::size_t>(1, static_cast<std::size_t>(std::llround(random.share * static_cast<double>(order.size())))));
  for (const auto& unit : order) {
    for (const std::size_t i : unit) selected[i] = true;
  }
}

}  // namespace

std::vector<bool> select_parameters(const ParameterTable& table, std::string_view selector, std::string_view method) {
  constexpr std::string_view kRole = "role=", kRandom = "random:";
  std::vector<bool> selected(table.parameters.size());
  if (selector.starts_with(kRole)) selector.remove_prefix(kRole.size());
  if (selector.empty()) return selected;
  const Words terms = split(selector, ',');
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (!terms[i].starts_with(kRandom)) {
      select_term(table, terms[i], method, selected);
      continue;
    }
    RandomTerm random;
    const std::string_view first = terms[i];
    for (std::string_view part = first.substr(kRandom.size());; part = terms[++i]) {
      if (!read_random_key(part, random)) fail(part, "is not p=SHARE (above 0, up to 1), unit=module, unit=tensor or seed=NUMBER");
      if (i + 1 == terms.size() || terms[i + 1].find('=') == std::string_view::npos) break;
    }
    select_random(table, first, random, selected);
  }
  return selected;
}

}  // namespace dstore
