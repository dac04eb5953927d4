#include <algorithm>
#include <bit>

#include "catch.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/loop/loop.h"
#include "trainer/optim/threads.h"

using namespace dstore;
using namespace dstore::test;

namespace {

struct Outcome {
  std::vector<std::vector<float>> values;
  std::vector<Parameter> parameters;
  std::string prefix;
  std::uint64_t body = 0, selected = 0;
  LoopResult loop;
  std::vector<std::string> warnings;
};

Outcome train(const std::string& name, std::vector<std::string> set = {}, double density = 0.02, std::uint64_t seed = 1, long steps = 20,
              unsigned threads = 2) {
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


TEST_CASE("densities written in decimal give exact counts") {
  CHECK(density_count(0.005, 22713216) == 113566);
  CHECK(density_count(0.29, 100) == 29);
  CHECK(density_count(1, 7) == 7);
  CHECK(density_count(0.1, 30) == 3);
}

TEST_CASE("phases share the steps, at least one each") {
  CHECK(phase_steps({{"a", 0.5}, {"b", 0.5}}, 501) == std::vector<long>{251, 250});
  CHECK(phase_steps({{"a", 1.0}, {"b", 0.0}}, 10) == std::vector<long>{9, 1});
  CHECK(phase_steps({{"a", 1.0}}, 1) == std::vector<long>{1});
}
