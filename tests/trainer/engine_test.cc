// How gradients are computed: in parts, with layers computed again, in bf16, for a few entries alone.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "catch.h"
#include "tests/trainer/message_of.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/loop/loop.h"
#include "trainer/loop/memory.h"
#include "trainer/loop/memory_room.h"
#include "trainer/optim/sampled_product.h"
#include "trainer/optim/threads.h"

using namespace dstore;
using namespace dstore::test;

namespace {

Network network_of(const std::string& name, const NetworkOptions& options, TaskKind task = TaskKind::classification) {
  const ModelConfig config = tiny_config();
  const MemoryTensors base = tiny_bert(config);
  NetworkOptions own = options;
  own.task = task;
  own.seed = 7;
  Network network(base, match_parameters(base, config, task == TaskKind::regression ? 1 : 3, "tiny"), own);
  const MethodRow& method = find_method(name);
  select_trainable(network, method, Settings(method.hyperparameters, method.presets, {}));
  return network;
}

Batch batch_of(std::uint32_t rows, TaskKind task = TaskKind::classification) {
  TaskData data = tiny_task();
  data.task = data.train.task = task;
  std::vector<std::uint32_t> examples(rows);
  for (std::uint32_t i = 0; i < rows; ++i) {
    examples[i] = i;
    data.train.examples[i].value = 0.3 * i;
  }
  return make_batch(data.train, examples, data.pad_id);
}

struct Backward {
  double loss;
  std::vector<std::vector<float>> gradients;
};

Backward backward(Network& network, const Batch& batch) {
  Backward out{network.loss_and_gradients(batch, 3), {}};
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Gradient gradient = network.gradient(i);
    out.gradients.emplace_back();
    for (std::size_t j = 0; j < network.parameters()[i].count; ++j) out.gradients.back().push_back(gradient.at(j));
  }
  return out;
}

/// Norm of the difference of all gradients, relative to the norm of b's.
double relative(const Backward& a, const Backward& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    for (std::size_t j = 0; j < a.gradients[i].size(); ++j) {
      const double x = static_cast<double>(a.gradients[i][j]), y = static_cast<double>(b.gradients[i][j]);
      difference += (x - y) * (x - y);
      norm += y * y;
    }
  }
  return std::sqrt(difference / norm);
}

NetworkOptions with(std::size_t accumulate, bool checkpoint, Precision precision = Precision::fp32) {
  NetworkOptions options;
  options.accumulate = accumulate;
  options.checkpoint_activations = checkpoint;
  options.precision = precision;
  return options;
}

/// Every `step`-th entry.
std::vector<std::uint32_t> some(std::uint64_t count, std::uint32_t step) {
  std::vector<std::uint32_t> entries;
  for (std::uint32_t at = step / 2; at < count; at += step) entries.push_back(at);
  return entries;
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("a batch computed in parts has the loss and gradients of the whole batch, dropout and a short last part included") {
  for (const TaskKind task : {TaskKind::classification, TaskKind::regression}) {
    for (const std::uint32_t rows : {8u, 5u, 1u}) {
      const Batch batch = batch_of(rows, task);
      Network whole = network_of("full", {}, task);
      const Backward expected = backward(whole, batch);
      Backward singly{0, {}};
      for (const std::size_t parts : {2u, 3u, 8u, 100u}) {
        INFO(rows << " rows in " << parts);
        Network network = network_of("full", with(parts, false), task);
        const Backward got = backward(network, batch);
        CHECK(std::abs(got.loss - expected.loss) <= 1e-6 * expected.loss);
        CHECK(relative(got, expected) <= 1e-6);
        if (parts == 8) singly = got;
        if (parts == 100) CHECK(got.gradients == singly.gradients);
        CHECK(backward(network, batch).gradients == got.gradients);
      }
    }
  }
}

TEST_CASE("layers computed again give the same bits") {
  const Batch batch = batch_of(7);
  for (const std::string method : {"full", "last-layer", "bitfit", "head", "masking"}) {
    for (const std::size_t parts : {1u, 3u}) {
      for (const Precision precision : {Precision::fp32, Precision::bf16}) {
        INFO(method << " in " << parts << (precision == Precision::bf16 ? " bf16" : ""));
        Network kept = network_of(method, with(parts, false, precision)), again = network_of(method, with(parts, true, precision));
        const Backward a = backward(kept, batch), b = backward(again, batch);
        CHECK(a.loss == b.loss);
        CHECK(a.gradients == b.gradients);
        CHECK(relative(a, a) == 0);
      }
    }
  }
}

TEST_CASE("bf16 gradients are near those of fp32, and what a model predicts stays fp32") {
  const Batch batch = batch_of(8);
  Network wide = network_of("full", {}), narrow = network_of("full", with(1, false, Precision::bf16));
  const double error = relative(backward(narrow, batch), backward(wide, batch));
  CHECK(error > 1e-4);
  CHECK(error < 3e-2);
  CHECK(narrow.logits(batch) == wide.logits(batch));
}

TEST_CASE("sampled gradients are the entries of the whole gradient") {
  const Batch batch = batch_of(7);
  for (const std::uint32_t step : {3u, 12u}) {  // a third is picked from the whole gradient, a twelfth computed alone
    for (const NetworkOptions& options : {with(1, false), with(3, false), with(1, true)}) {
      Network whole = network_of("full", options), sampled = network_of("full", options);
      for (std::size_t i = 0; i < sampled.parameters().size(); ++i) {
        if (!sampled.parameters()[i].is_head) sampled.sample(i, some(sampled.parameters()[i].count, step));
      }
      const Backward expected = backward(whole, batch);
      for (int round = 0; round < 2; ++round) {
        const Backward got = backward(sampled, batch);
        CHECK(std::abs(got.loss - expected.loss) <= 1e-6 * expected.loss);
        for (std::size_t i = 0; i < sampled.parameters().size(); ++i) {
          const Parameter& p = sampled.parameters()[i];
          if (p.is_head) continue;
          INFO(p.name);
          const std::vector<std::uint32_t> entries = some(p.count, step);
          const std::span<const float> values = sampled.sampled_gradient(i);
          REQUIRE(values.size() == entries.size());
          double scale = 1e-3, worst = 0;  // a key's bias has no gradient but rounding's
          for (const float g : expected.gradients[i]) scale = std::max(scale, std::abs(static_cast<double>(g)));
          for (std::size_t k = 0; k < entries.size(); ++k) {
            worst = std::max(worst, std::abs(static_cast<double>(values[k]) - static_cast<double>(expected.gradients[i][entries[k]])));
          }
          CHECK(worst <= 1e-6 * scale);
          const bool linear = role_info(p.role).kind == RoleKind::weight && role_info(p.role).part != RolePart::embedding;
          if (step == 3) CHECK(worst == 0);
          if (step == 12 && linear) CHECK(std::all_of(got.gradients[i].begin(), got.gradients[i].end(), [](float g) { return g == 0; }));
        }
      }
      for (std::size_t i = 0; i < sampled.parameters().size(); ++i) sampled.set_trainable(i, true);  // whole again
      CHECK(backward(sampled, batch).gradients == expected.gradients);
    }
  }
}

TEST_CASE("sampled gradients need no gradient to pass through the layer") {
  const Batch batch = batch_of(6);
  for (const bool checkpoint : {false, true}) {
    Network whole = network_of("full", with(1, checkpoint)), sampled = network_of("head", with(1, checkpoint));
    const std::size_t first = sampled.table().find(Role::ffn_in_w, 0);
    sampled.sample(first, some(sampled.parameters()[first].count, 20));
    const Backward expected = backward(whole, batch);
    (void)backward(sampled, batch);
    const std::span<const float> values = sampled.sampled_gradient(first);
    REQUIRE(values.size() == 12);
    for (std::size_t k = 0; k < values.size(); ++k) CHECK(std::abs(values[k] - expected.gradients[first][10 + 20 * k]) < 1e-6f);
  }
}

TEST_CASE("sampled products equal those in double precision, with the same bits for any number of threads") {
  PhiloxSequence draw(Philox(4, RandomStream::sampling));
  const auto numbers = [&](std::size_t count) {
    std::vector<float> all(count);
    for (float& x : all) x = static_cast<float>(draw.below(2001)) / 1000 - 1;
    return all;
  };
  TokenColumns from, back;  // used again and again: what an earlier matrix left must not count
  for (const std::size_t tokens : {200u, 1u, 63u, 64u, 65u, 128u, 129u}) {
    const std::size_t inputs = 37, outputs = 53;
    const std::vector<float> x = numbers(tokens * inputs), g = numbers(tokens * outputs);
    std::vector<std::uint32_t> entries(inputs * outputs);
    for (std::uint32_t i = 0; i < entries.size(); ++i) entries[i] = i;
    std::vector<float> sums(entries.size(), 2.0f), other(entries.size(), 2.0f);
    const auto add = [&](unsigned threads, std::vector<float>& to) {
      set_training_threads(threads);
      from.assign({x.data(), inputs}, tokens);
      back.assign({g.data(), outputs}, tokens);
      add_sampled_product(entries, back, from, to);
    };
    add(1, sums);
    add(3, other);
    CHECK(sums == other);
    double worst = 0;
    for (std::size_t k = 0; k < entries.size(); ++k) {
      double expected = 2;
      for (std::size_t t = 0; t < tokens; ++t) expected += static_cast<double>(g[t * outputs + k / inputs]) * static_cast<double>(x[t * inputs + k % inputs]);
      worst = std::max(worst, std::abs(static_cast<double>(sums[k]) - expected));
    }
    CHECK(worst < 1e-5);
  }
}

TEST_CASE("every method trains in parts, with layers computed again and in bf16 nearly as it does without") {
  const MemoryTensors base = tiny_bert(tiny_config());
  const TaskData data = tiny_task();
  for (const MethodRow& row : methods()) {
    const Settings settings(row.hyperparameters, row.presets, {});
    const auto losses = [&](const NetworkOptions& how) {
      NetworkOptions options = how;
      options.seed = 7;
      Network network(base, match_parameters(base, tiny_config(), 3, "tiny"), options);
      select_trainable(network, row, settings);
      MethodOptions m;
      m.lr = row.lr;
      m.head_lr = 1e-2;
      m.density = row.density > 0 ? 0.05 : 0;
      m.seed = 7;
      m.warn = [](const std::string&) {};
      give_examples(m, data);
      const auto training = row.start(network, m, settings);
      Progress progress(24, true);
      LoopOptions loop;
      loop.seed = 7;
      loop.batch = 8;
      loop.steps = 24;
      const LoopResult result = run_loop(network, *training, row.phases(settings), data, loop, progress);
      return std::pair(result.loss_first, result.loss_last);
    };
    INFO(row.name);
    const auto plain = losses({});
    const auto parts = losses(with(3, true)), narrow = losses(with(2, true, Precision::bf16));
    CHECK(std::abs(parts.first - plain.first) < 1e-3 * plain.first);
    CHECK(std::abs(parts.second - plain.second) < 1e-3 * plain.second);
    CHECK(std::abs(narrow.first - plain.first) < 2e-2 * plain.first);
    CHECK(std::abs(narrow.second - plain.second) < 2e-2 * plain.second);
  }
}

TEST_CASE("the room for memory is the least of what the system and each control group leave") {
  std::string pattern = (std::filesystem::temp_directory_path() / "dstore-room-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  const std::filesystem::path root = pattern;
  CHECK(!memory_room(root.string()));
  write(root / "proc/meminfo", "MemTotal: 100 kB\nMemAvailable:   5000 kB\n");
  CHECK(memory_room(root.string()) == 5000.0 * 1024);
  write(root / "proc/self/cgroup", "0::/a/b\n");
  CHECK(memory_room(root.string()) == 5000.0 * 1024);
  write(root / "sys/fs/cgroup/a/b/memory.max", "max\n");
  write(root / "sys/fs/cgroup/a/b/memory.current", "70000\n");
  write(root / "sys/fs/cgroup/a/memory.max", "100000\n");
  write(root / "sys/fs/cgroup/a/memory.current", "80000\n");
  CHECK(memory_room(root.string()) == 20000.0);
  write(root / "sys/fs/cgroup/a/memory.stat", "anon 4\ninactive_file 30000\n");
  CHECK(memory_room(root.string()) == 50000.0);
  write(root / "proc/self/cgroup", "5:cpu,memory:/x\n0::/elsewhere\n");
  CHECK(memory_room(root.string()) == 5000.0 * 1024);
  write(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9000\n");
  write(root / "sys/fs/cgroup/memory/memory.usage_in_bytes", "9001\n");
  CHECK(memory_room(root.string()) == 0.0);
  write(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "not a number\n");
  CHECK(memory_room(root.string()) == 5000.0 * 1024);
  std::filesystem::remove_all(root);
}

TEST_CASE("what cannot fit is refused with the need, the room and what to do") {
  const MemoryNeed need{100e6, 200e6, 50e6, 260e6};
  CHECK(need.total() == 360e6);
  require_memory(need, std::nullopt);
  require_memory(need, 260e6);
  const std::string message = message_of([&] { require_memory(need, 259e6); });
  for (const char* words : {"360 MB", "359 MB", "--batch", "--accumulate", "--checkpoint-activations", "--ignore-memory"}) {
    INFO(message);
    CHECK(message.find(words) != std::string::npos);
  }
}

TEST_CASE("the estimate follows batch, parts, layers computed again and method") {
  const TaskData data = tiny_task();
  const auto estimate = [&](const std::string& method, const std::function<void(TrainOptions&)>& change) {
    TrainOptions options;
    options.batch = 32;
    change(options);
    Network network = network_of(method, {});
    return memory_need(network, find_method(method), data, options, 10);
  };
  const auto plain = [](TrainOptions&) {};
  const MemoryNeed full = estimate("full", plain);
  CHECK(estimate("full", [](TrainOptions& o) { o.batch = 8; }).activations < full.activations / 3);
  CHECK(estimate("full", [](TrainOptions& o) { o.accumulate = 4; }).activations < full.activations / 3);
  CHECK(estimate("full", [](TrainOptions& o) { o.checkpoint_activations = true; }).activations <= full.activations);
  ModelConfig deep = tiny_config();
  deep.layers = 12;
  CHECK(bert_activation_bytes(deep, {.rows = 8, .width = 16, .recompute = true}) < bert_activation_bytes(deep, {.rows = 8, .width = 16}) / 2);
  CHECK(estimate("full", [](TrainOptions& o) { o.precision = "bf16"; }).activations < full.activations);
  CHECK(estimate("head", plain).activations < full.activations);
  CHECK(estimate("diff-pruning", plain).method > full.method);
  CHECK(estimate("bitfit", plain).method < full.method / 2);
  CHECK(estimate("random-mask", plain).method < full.method / 2);
}
