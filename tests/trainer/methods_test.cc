#include <algorithm>
#include <bit>
#include <cmath>

#include "base/decimal.h"
#include "catch.h"
#include "tests/trainer/gate_probe.h"
#include "tests/trainer/message_of.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/loop/loop.h"
#include "trainer/methods/mask_phase.h"
#include "trainer/optim/threads.h"

using namespace dstore;
using namespace dstore::test;

namespace {

/// The tiny model with what a method trains, ready for a backward pass.
Network tiny_network(const std::string& name) {
  const ModelConfig config = tiny_config();
  const MemoryTensors base = tiny_bert(config);
  Network network(base, match_parameters(base, config, 3, "tiny"), {TaskKind::classification, 1, Device::cpu});
  const MethodRow& method = find_method(name);
  select_trainable(network, method, Settings(method.hyperparameters, method.presets, {}));
  return network;
}

Batch tiny_batch(const TaskData& data, std::uint32_t step) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < 8; ++i) rows.push_back((8 * step + i) % static_cast<std::uint32_t>(data.train.examples.size()));
  return make_batch(data.train, rows, data.pad_id);
}

std::vector<std::size_t> trainable(const Network& network, bool heads) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Parameter& p = network.parameters()[i];
    if (p.trainable && (p.is_head || !heads)) indices.push_back(i);
  }
  return indices;
}

std::vector<std::vector<float>> all_values(Network& network) {
  std::vector<std::vector<float>> all;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) all.emplace_back(network.values(i).begin(), network.values(i).end());
  return all;
}

/// One entry as the projection ranks it.
struct Ranked {
  int kind;  ///< 0: a difference, 1: |w| behind a closed gate, 2: a gradient, 3: the rest
  float score;
  std::size_t tensor;
  std::uint32_t at;
};

struct Outcome {
  std::vector<std::vector<float>> values;
  std::vector<Parameter> parameters;
  std::string prefix;
  std::uint64_t body = 0, selected = 0;
  LoopResult loop;
  std::vector<std::string> warnings;
};

Outcome train(const std::string& name, std::vector<std::string> set = {}, double density = 0.02, std::uint64_t seed = 1, long steps = 20,
              unsigned threads = 2, const std::function<void(MethodOptions&)>& change = [](MethodOptions&) {}) {
  const ModelConfig config = tiny_config();
  const MemoryTensors base = tiny_bert(config);
  const TaskData data = tiny_task();
  set_training_threads(threads);
  Network network(base, match_parameters(base, config, 3, "tiny"), {TaskKind::classification, seed, Device::cpu});
  const MethodRow& method = find_method(name);
  const Settings settings(method.hyperparameters, method.presets, set);
  select_trainable(network, method, settings);
  Outcome out;
  MethodOptions options;
  options.lr = method.lr * 10;
  options.head_lr = 1e-2;
  options.density = density;
  options.seed = seed;
  options.warn = [&](const std::string& line) { out.warnings.push_back(line); };
  give_examples(options, data);
  change(options);
  const auto training = method.start(network, options, settings);
  Progress progress(steps, true);
  out.loop = run_loop(network, *training, method.phases(settings), data, {seed, 8, steps, 0}, progress);
  out.selected = training->selected();
  out.parameters = network.parameters();
  out.body = network.table().body_elements();
  out.prefix = network.table().base_prefix;
  for (std::size_t i = 0; i < out.parameters.size(); ++i) {
    const std::span<float> values = network.values(i);
    out.values.emplace_back(values.begin(), values.end());
  }
  return out;
}

/// Per parameter: entries whose bits differ from the base's.
std::vector<std::size_t> changed(const Outcome& out) {
  const MemoryTensors base = tiny_bert(tiny_config());
  std::vector<std::size_t> counts;
  for (std::size_t i = 0; i < out.parameters.size(); ++i) {
    const Parameter& p = out.parameters[i];
    std::size_t count = 0;
    if (p.source) {
      std::vector<float> before(p.count);
      read_as_float(base, p, before);
      for (std::size_t j = 0; j < p.count; ++j) count += std::bit_cast<std::uint32_t>(before[j]) != std::bit_cast<std::uint32_t>(out.values[i][j]);
    } else {
      count = p.count;
    }
    counts.push_back(count);
  }
  return counts;
}

}  // namespace

TEST_CASE("every method repeats bit for bit and lowers the loss") {
  for (const MethodRow& row : methods()) {
    INFO(row.name);
    const Outcome a = train(std::string(row.name)), b = train(std::string(row.name));
    CHECK(a.values == b.values);
    CHECK(a.loop.loss_first > 0);
    const Outcome other = train(std::string(row.name), {}, 0.02, 2);
    CHECK(a.values != other.values);
    const Outcome longer = train(std::string(row.name), {}, 0.05, 1, 200);
    CHECK(longer.loop.loss_last < longer.loop.loss_first);
  }
}

TEST_CASE("methods change only the tensors that their row names") {
  const auto only = [](const std::string& method, auto allowed) {
    const Outcome out = train(method);
    const std::vector<std::size_t> counts = changed(out);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      INFO(method << " " << out.parameters[i].name);
      if (out.parameters[i].is_head) continue;
      if (!allowed(out.parameters[i])) CHECK(counts[i] == 0);
    }
  };
  only("bitfit", [](const Parameter& p) { return role_info(p.role).kind == RoleKind::bias; });
  only("last-layer", [](const Parameter& p) { return p.layer == 1 || role_info(p.role).part == RolePart::pooler; });
  only("head", [](const Parameter&) { return false; });
  only("far", [](const Parameter& p) {
    const std::string_view word = role_info(p.role).word;
    return word.starts_with("ffn.in.") || word.starts_with("ffn.out.");
  });
  const Outcome out = train("bitfit");
  CHECK(changed(out)[0] > 0);  // embeddings.LayerNorm.bias
}

TEST_CASE("full fine-tuning leaves the rows of words that never occur as they were") {
  const Outcome out = train("full");
  for (std::size_t i = 0; i < out.parameters.size(); ++i) {
    if (!out.parameters[i].by_rows()) continue;
    const MemoryTensors base = tiny_bert(tiny_config());
    std::vector<float> before(out.parameters[i].count);
    read_as_float(base, out.parameters[i], before);
    CHECK(std::equal(before.begin() + 40 * 12, before.end(), out.values[i].begin() + 40 * 12));
    CHECK(changed(out)[i] > 0);
  }
}

TEST_CASE("no method moves a weight outside of what it selects, whatever decays, drifts or is clipped") {
  std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"bitfit", {"terms=query-ffn"}}, {"last-layer", {"pooler=no"}}, {"select", {"train=random:p=0.3,unit=tensor"}}, {"diff-pruning", {"structure=none"}},
      {"diff-pruning", {"l0=product", "mask_init=w"}}, {"fish", {"train=linear"}}, {"lt-sft", {"iterations=2", "train=attention"}},
      {"top-k", {"start=found"}}, {"top-k", {"start=none"}}, {"masking", {"head=paper"}}, {"far", {"rest=trainable", "priming=0.2"}},
      {"far", {"rank=model", "priming=0.2", "prime=ffn"}}};
  for (const MethodRow& row : methods()) cases.push_back({std::string(row.name), {}});
  for (const auto& [name, set] : cases) {
    const MethodRow& row = find_method(name);
    INFO(name << " " << (set.empty() ? "" : set.front()));
    const auto change = [&](MethodOptions& options) {
      options.clip = 0.05;
      options.weight_decay = row.density > 0 ? 0 : 0.1;
    };
    const Outcome out = train(name, set, 0.02, 1, 40, 2, change);
    if (row.density > 0) CHECK(out.selected == density_count(0.02, out.body));
    const auto counts = changed(out);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      INFO(out.parameters[i].name);
      if (out.parameters[i].is_head) continue;
      total += counts[i];
      if (!out.parameters[i].trainable) CHECK(counts[i] == 0);
    }
    CHECK(total <= out.selected);
    if (row.density > 0) CHECK(total > out.selected / 2);
  }
}

TEST_CASE("training of a selection leaves every other entry as it was, bit for bit") {
  const TaskData data = tiny_task();
  Network network = tiny_network("full");
  const auto base = all_values(network);
  MethodOptions options;
  options.head_lr = 1e-2;
  options.weight_decay = 0.1;
  options.clip = 0.05;
  Selection selection;
  PhiloxSequence draw(Philox(17, RandomStream::sampling));
  for (const std::size_t i : trainable(network, false)) {
    if (network.parameters()[i].is_head) continue;
    selection.parameters.push_back(i);
    auto& indices = selection.indices.emplace_back();
    auto& values = selection.values.emplace_back();
    for (std::uint32_t j = 0; j < network.parameters()[i].count; ++j) {
      if (i % 7 == 3 || draw.below(4) != 0) continue;  // nothing of some tensors
      indices.push_back(j);
      values.push_back(base[i][j]);
    }
  }
  const Selection chosen = selection;
  MaskPhase phase(network, options, {.lr = 1e-2, .l1 = 1e-3}, std::move(selection));
  DenseOptimizer head(network, trainable(network, true), options);
  for (long step = 0; step < 30; ++step) {
    network.loss_and_gradients(tiny_batch(data, static_cast<std::uint32_t>(step)), static_cast<std::uint32_t>(step));
    phase.step({step, step, 30}, head, 1);
  }
  std::size_t moved = 0, strangers = 0;
  for (std::size_t k = 0; k < chosen.parameters.size(); ++k) {
    const std::size_t i = chosen.parameters[k];
    for (std::uint32_t j = 0; j < base[i].size(); ++j) {
      const bool same = std::bit_cast<std::uint32_t>(network.values(i)[j]) == std::bit_cast<std::uint32_t>(base[i][j]);
      const bool selected = std::binary_search(chosen.indices[k].begin(), chosen.indices[k].end(), j);
      moved += selected && !same;
      strangers += !selected && !same;
    }
  }
  CHECK(strangers == 0);
  CHECK(moved > chosen.size() / 2);
}

TEST_CASE("a masked weight is zero, every other one is the base's") {
  const Outcome out = train("masking", {"sparsity=0.3"}, 0, 1, 40);
  const MemoryTensors base = tiny_bert(tiny_config());
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < out.parameters.size(); ++i) {
    const Parameter& p = out.parameters[i];
    if (p.is_head) continue;
    std::vector<float> before(p.count);
    read_as_float(base, p, before);
    for (std::size_t j = 0; j < p.count; ++j) {
      const float value = out.values[i][j];
      const bool zero = std::bit_cast<std::uint32_t>(value) == 0;
      zeros += zero;
      CHECK((zero || std::bit_cast<std::uint32_t>(value) == std::bit_cast<std::uint32_t>(before[j])));
    }
  }
  CHECK(zeros > out.selected / 5);
  CHECK(zeros < out.selected / 2);
}

TEST_CASE("diff pruning selects exactly floor(t N) entries and nothing else moves") {
  for (const std::string structure : {"none", "matrix"}) {
    for (const double density : {0.001, 0.02, 0.3}) {
      const Outcome out = train("diff-pruning", {"structure=" + structure}, density, 1, 60);
      CHECK(out.selected == density_count(density, out.body));
      std::uint64_t total = 0;
      const auto counts = changed(out);
      for (std::size_t i = 0; i < counts.size(); ++i) total += out.parameters[i].is_head ? 0 : counts[i];
      CHECK(total <= out.selected);
      CHECK(total > out.selected / 2);
    }
  }
}

TEST_CASE("where gates close too early the selection is filled, with a warning") {
  const Outcome out = train("diff-pruning", {"alpha_init=-15"}, 0.05, 1, 20);
  REQUIRE(out.warnings.size() == 1);
  std::uint64_t total = 0;
  const auto counts = changed(out);
  for (std::size_t i = 0; i < counts.size(); ++i) total += out.parameters[i].is_head ? 0 : counts[i];
  CHECK(total <= out.selected);
  CHECK(total > 0);
}


TEST_CASE("the projection takes what a full sort takes") {
  const TaskData data = tiny_task();
  for (const bool groups : {false, true}) {
    Network network = tiny_network("diff-pruning");
    network.loss_and_gradients(tiny_batch(data, 0), 0);
    MethodOptions options;
    GateSettings settings;
    settings.groups = groups;
    GatePhase phase(network, options, settings);
    constexpr float kW[] = {-0.5f, -0.25f, 0, 0, 0.25f, 0.5f, 1}, kAlpha[] = {-15, 0.5f, 3, 10};  // few values: many ties
    PhiloxSequence draw(Philox(11, RandomStream::sampling));
    std::vector<Ranked> ranked;
    auto& tensors = GatePhaseProbe::tensors(phase);
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      auto& tensor = tensors[t];
      if (t % 5 == 0) tensor.group_alpha[0] = -15;
      const float group = groups ? static_cast<float>(expected_gate(static_cast<double>(tensor.group_alpha[0]))) : 1;
      for (auto& active : tensor.active) active = draw.below(2) == 0;
      const Gradient gradient = network.gradient(tensor.index);
      for (std::uint32_t i = 0; i < tensor.count; ++i) {
        float difference = 0;
        if (tensor.row_width == 0 || tensor.active[i / tensor.row_width]) {
          tensor.w.data()[i] = kW[draw.below(7)];
          tensor.alpha.data()[i] = kAlpha[draw.below(4)];
          gate_expected({.count = 1, .first = i, .w = tensor.w.data() + i, .alpha = tensor.alpha.data() + i}, group, &difference);
        }
        const float w = tensor.w.data()[i], g = gradient.at(i);
        const int kind = difference != 0 ? 0 : w != 0 ? 1 : g != 0 ? 2 : 3;
        const float scores[] = {std::abs(difference), std::abs(w), std::abs(g), 0};
        ranked.push_back({kind, scores[kind], t, i});
      }
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) { return a.kind != b.kind ? a.kind < b.kind : a.score > b.score; });
    std::vector<std::uint64_t> ends;  // of each kind
    for (int kind = 0; kind < 4; ++kind) {
      ends.push_back(static_cast<std::uint64_t>(std::count_if(ranked.begin(), ranked.end(), [&](const Ranked& r) { return r.kind <= kind; })));
      REQUIRE(ends.back() > (kind == 0 ? 10 : ends[static_cast<std::size_t>(kind) - 1] + 10));
    }
    for (const std::uint64_t k : {std::uint64_t{0}, std::uint64_t{1}, ends[0] / 3, ends[0], ends[0] + 7, ends[1] - 1, ends[1] + 9, ends[2], ends[2] + 5, ends[3]}) {
      INFO("groups " << groups << ", k " << k);
      const GatePhase::Projection projection = phase.project(k);
      std::vector<std::vector<std::uint32_t>> expected(tensors.size());
      for (std::size_t i = 0; i < k; ++i) expected[ranked[i].tensor].push_back(ranked[i].at);
      for (auto& indices : expected) std::sort(indices.begin(), indices.end());
      CHECK(projection.indices == expected);
      CHECK(projection.size() == k);
      CHECK(projection.filled == k - std::min(k, ends[0]));
      CHECK(projection.filled_by_w == std::min(k, ends[1]) - std::min(k, ends[0]));
      CHECK(projection.filled_by_gradient == std::min(k, ends[2]) - std::min(k, ends[1]));
    }
  }
}

TEST_CASE("equal gradients give equal bits with any number of threads") {
  const TaskData data = tiny_task();
  MethodOptions options;
  options.lr = options.head_lr = 1e-2;
  const auto gates = [&](unsigned threads) {
    Network network = tiny_network("diff-pruning");
    GatePhase phase(network, options, {});
    DenseOptimizer head(network, trainable(network, true), options);
    for (long step = 0; step < 6; ++step) {
      set_training_threads(1);
      network.loss_and_gradients(tiny_batch(data, static_cast<std::uint32_t>(step)), static_cast<std::uint32_t>(step));
      set_training_threads(threads);
      phase.step({step, step, 6}, head, 1);
    }
    return all_values(network);
  };
  const auto dense = [&](unsigned threads) {
    Network network = tiny_network("full");
    DenseOptimizer optimizer(network, trainable(network, false), options);
    for (long step = 0; step < 6; ++step) {
      set_training_threads(1);
      network.loss_and_gradients(tiny_batch(data, static_cast<std::uint32_t>(step)), static_cast<std::uint32_t>(step));
      set_training_threads(threads);
      optimizer.update(step, 1, clip_scale(optimizer.gradient_norm_squared(), options.clip));
    }
    return all_values(network);
  };
  CHECK(gates(1) == gates(3));
  CHECK(dense(1) == dense(3));
}

TEST_CASE("last-layer has gradients from its layer up, and none below") {
  const TaskData data = tiny_task();
  Network network = tiny_network("last-layer");
  network.loss_and_gradients(tiny_batch(data, 0), 0);
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Parameter& p = network.parameters()[i];
    INFO(p.name);
    const bool above = p.is_head || p.layer == 1 || role_info(p.role).part == RolePart::pooler;
    CHECK(p.trainable == above);
    bool any = false;
    for (std::size_t j = 0; j < p.count; ++j) any = any || network.gradient(i).at(j) != 0;
    CHECK(any == above);
  }
}

TEST_CASE("a density beyond what has a gate is refused") {
  ModelConfig config = tiny_config();
  config.pooling = Pooling::mean;
  const MemoryTensors base = tiny_bert(config);
  Network network(base, match_parameters(base, config, 3, "tiny"), {TaskKind::classification, 1, Device::cpu});
  const MethodRow& method = find_method("diff-pruning");
  const Settings settings(method.hyperparameters, method.presets, {});
  select_trainable(network, method, settings);
  MethodOptions options;
  options.density = 1;
  CHECK(message_of([&] { (void)method.start(network, options, settings); }).find("weights to select") != std::string::npos);
}

TEST_CASE("a penalty has one number, or one for each part of the model") {
  const auto refusal = [](std::vector<std::string> set) { return message_of([&] { (void)train("diff-pruning", std::move(set), 0.02, 1, 2); }); };
  CHECK(refusal({"lambda=1e-3,1e-4,1e-5,1e-6"}).empty());
  CHECK(refusal({"lambda=1e-3,1e-4"}).find("lambda has 2 numbers; this model takes one, or 4") != std::string::npos);
  CHECK(refusal({"l0=product", "structure=none"}).find("structure=matrix") != std::string::npos);
}
