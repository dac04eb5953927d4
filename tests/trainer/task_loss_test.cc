// The losses stand beside PyTorch's in parity.py; here is what parity cannot see.
#include <cmath>

#include "catch.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/model/network.h"
#include "trainer/text/batches.h"

using namespace dstore;
using namespace dstore::test;

namespace {

/// One example of the tiny task with these answers of three labels.
Batch example_with(const std::vector<double>& answers) {
  const TaskData data = tiny_task(1);
  const std::uint32_t first = 0;
  Batch batch = make_batch(data.train, std::span(&first, 1), data.pad_id);
  batch.labels.clear();
  batch.values = answers;
  return batch;
}

using Squares = std::vector<std::vector<double>>;

void add_squares(Squares& sums, const Network& network, double weight) {
  sums.resize(network.parameters().size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const Gradient gradient = network.gradient(i);
    sums[i].resize(network.parameters()[i].count);
    for (std::size_t j = 0; j < sums[i].size(); ++j) {
      const auto g = static_cast<double>(gradient.at(j));
      sums[i][j] += weight * g * g;
    }
  }
}

}  // namespace

TEST_CASE("the Fisher information of a multi-label example is the expectation over all answers") {
  const ModelConfig config = tiny_config();
  const MemoryTensors base = tiny_bert(config);
  Network network(base, match_parameters(base, config, 3, "tiny"), {TaskKind::multi_label, 1, Device::cpu});
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    network.set_trainable(i, true);
    if (network.parameters()[i].role == Role::head_b) {  // far from even chances
      const std::span<float> bias = network.values(i);
      bias[0] = 1, bias[1] = -2, bias[2] = 0.5f;
    }
  }
  network.values_changed();
  Squares ours, all_answers;
  network.for_each_class(example_with({0, 0, 0}), [&](double weight) { add_squares(ours, network, weight); });
  double total = 0;
  for (int answer = 0; answer < 8; ++answer) {
    const double loss = network.loss_and_gradients(example_with({double(answer & 1), double(answer >> 1 & 1), double(answer >> 2 & 1)}), std::nullopt);
    const double probability = std::exp(-3 * loss);  // the loss is the mean over three labels of -log p
    total += probability;
    add_squares(all_answers, network, 9 * probability);
  }
  CHECK(total == Approx(1).epsilon(1e-5));
  for (std::size_t i = 0; i < ours.size(); ++i) {
    INFO(network.parameters()[i].name);
    double sum = 0, difference = 0;
    for (std::size_t j = 0; j < ours[i].size(); ++j) {
      sum += all_answers[i][j];
      difference += std::abs(ours[i][j] - all_answers[i][j]);
    }
    CHECK(difference <= 1e-4 * sum + 1e-12);
  }
}

TEST_CASE("the loss of always answering with the frequencies is what a constant model reaches") {
  TaskData data = tiny_task(40);
  CHECK_FALSE([&] { data.task = TaskKind::regression; return prior_loss(data); }());
  data.task = data.train.task = TaskKind::multi_label;
  data.train.classes = 3;
  for (std::size_t i = 0; i < 40; ++i) {
    data.train.examples[i].label = -1;
    if (i < 10) data.train.examples[i].labels = {0};
    if (i >= 20) data.train.examples[i].labels = {0, 2};
  }
  const auto binary = [](double p) { return -p * std::log(p) - (1 - p) * std::log(1 - p); };
  CHECK(*prior_loss(data) == Approx((binary(0.75) + 0 + binary(0.5)) / 3));
}
