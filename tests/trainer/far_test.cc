// FAR: a layer that runs as two computes what the whole one does, and only learners move. Its training beside plain formulas: reference_test.cc.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>

#include <cmath>

#include "catch.h"
#include "tests/trainer/message_of.h"
#include "tests/trainer/run_by_hand.h"
#include "trainer/model/split_linear.h"

using namespace dstore;
using namespace dstore::test;

namespace {

double largest(const at::Tensor& x) { return x.numel() == 0 ? 0 : x.abs().max().item<double>(); }

std::vector<std::size_t> learners_of(Run& run, std::size_t index, const std::vector<float>& base) {
  const Parameter& p = run.network().parameters()[index];
  const std::size_t width = p.shape.size() == 1 ? 1 : p.width();
  const std::span<const float> values = run.network().values(index);
  std::vector<std::size_t> moved;
  for (std::size_t node = 0; node < p.count / width; ++node) {
    if (!std::equal(values.begin() + static_cast<std::ptrdiff_t>(node * width), values.begin() + static_cast<std::ptrdiff_t>((node + 1) * width),
                    base.begin() + static_cast<std::ptrdiff_t>(node * width))) {
      moved.push_back(node);
    }
  }
  return moved;
}

std::vector<std::vector<float>> all_values(Network& network) {
  std::vector<std::vector<float>> all;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) all.emplace_back(network.values(i).begin(), network.values(i).end());
  return all;
}

}  // namespace

TEST_CASE("a split linear layer gives what the whole one gives, forward and backward") {
  const at::Tensor weight = at::randn({7, 5}), bias = at::randn({7}), target = at::randn({2, 3, 7});
  for (const std::vector<std::uint32_t>& learners : {std::vector<std::uint32_t>{0, 3, 6}, {4}, {0, 1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}}) {
    INFO(learners.size() << " learners");
    const at::Tensor x = at::randn({2, 3, 5}).requires_grad_(), y = x.detach().clone().requires_grad_();
    const at::Tensor whole_weight = weight.clone().requires_grad_(), whole_bias = bias.clone().requires_grad_();
    const SplitLinear split(weight, bias, learners);
    const at::Tensor expected = at::linear(x, whole_weight, whole_bias), out = split.forward(y);
    CHECK(largest(out - expected) < 1e-6);
    (expected * target).sum().backward();
    (out * target).sum().backward();
    CHECK(largest(x.grad() - y.grad()) < 1e-5);
    REQUIRE(split.weight.grad().size(0) == static_cast<std::int64_t>(learners.size()));
    for (std::size_t i = 0; i < learners.size(); ++i) {
      const std::int64_t node = learners[i], row = static_cast<std::int64_t>(i);
      CHECK(split.slots[learners[i]] == static_cast<std::int32_t>(i));
      CHECK(largest(split.weight.grad()[row] - whole_weight.grad()[node]) < 1e-5);
      CHECK(largest(split.bias.grad()[row] - whole_bias.grad()[node]) < 1e-5);
    }
    const at::Tensor fixed = at::randn({2, 3, 5});  // an input without a gradient
    CHECK(largest(split.forward(fixed) - at::linear(fixed, weight, bias)) < 1e-6);
  }
}

TEST_CASE("a network with split layers has the loss and the gradients of the whole one") {
  Run whole(find_method("full")), split(find_method("full"));
  Network& network = split.network();
  const std::vector<std::uint32_t> learners{0, 2, 3, 11};
  for (std::int64_t layer = 0; layer < 2; ++layer) {
    network.split_linear(network.table().find(Role::ffn_in_w, layer), network.table().find(Role::ffn_in_b, layer), learners);
    network.split_linear(network.table().find(Role::ffn_out_w, layer), network.table().find(Role::ffn_out_b, layer), learners);
  }
  for (const std::optional<std::uint32_t> step : {std::optional<std::uint32_t>(3), std::optional<std::uint32_t>()}) {
    const std::vector<std::uint32_t> rows{0, 1, 2, 3, 4};
    const Batch batch = make_batch(whole.data().train, rows, whole.data().pad_id);
    CHECK(network.logits(batch) == whole.network().logits(batch));
    CHECK(network.loss_and_gradients(batch, step) == Approx(whole.network().loss_and_gradients(batch, step)).epsilon(1e-6));
    for (std::size_t i = 0; i < network.parameters().size(); ++i) {
      const Parameter& p = network.parameters()[i];
      INFO(p.name);
      const bool is_split = role_info(p.role).word.starts_with("ffn.") && !role_info(p.role).word.starts_with("ffn.ln");
      const std::size_t width = p.shape.size() == 1 ? 1 : p.width();
      for (std::size_t j = 0; j < p.count; ++j) {
        const bool learns = !is_split || std::find(learners.begin(), learners.end(), j / width) != learners.end();
        const float expected = learns ? whole.network().gradient(i).at(j) : 0;
        CHECK(std::abs(network.gradient(i).at(j) - expected) < 1e-6f + 1e-5f * std::abs(expected));
      }
    }
  }
  network.set_trainable(network.table().find(Role::ffn_in_w, 0), true);  // whole again
  CHECK(!network.gradient(network.table().find(Role::ffn_in_w, 0)).is_by_rows());
}

TEST_CASE("only learners move, whatever decays and is clipped") {
  for (const std::string rest : {"frozen", "trainable"}) {
    for (const std::string rank : {"layer", "model"}) {
      for (const std::string prime : {"all", "ffn"}) {
        INFO("rest " << rest << ", rank " << rank << ", prime " << prime);
        Run run(find_method("far"), {"learners=0.25", "priming=0.2", "rest=" + rest, "rank=" + rank, "prime=" + prime}, [](MethodOptions& options) {
          options.weight_decay = 0.1;
          options.clip = 0.05;
        });
        const auto base = all_values(run.network());
        run.steps(0, kSteps);
        std::size_t nodes = 0, entries = 0;
        for (std::size_t i = 0; i < base.size(); ++i) {
          const Parameter& p = run.network().parameters()[i];
          INFO(p.name);
          if (p.is_head) continue;
          const std::size_t moved = learners_of(run, i, base[i]).size();
          const std::string_view word = role_info(p.role).word;
          if (word == "ffn.in.w" || word == "ffn.out.w") {
            if (rank == "layer") CHECK(moved == p.rows() / 4);
            const std::size_t bias = run.network().table().find(word == "ffn.in.w" ? Role::ffn_in_b : Role::ffn_out_b, p.layer);
            CHECK(learners_of(run, i, base[i]) == learners_of(run, bias, base[bias]));
            nodes += moved;
            entries += moved * (p.width() + 1);
          } else if (word == "ffn.in.b" || word == "ffn.out.b") {
            if (rank == "layer") CHECK(moved == p.count / 4);
          } else if (rest == "frozen") {
            CHECK(moved == 0);
          } else {
            entries += p.count;
          }
        }
        CHECK(nodes == 16);  // a quarter of 2 * (20 + 12)
        CHECK(run.training().selected() == entries);
        CHECK(run.training().facts().at("learner_nodes") == "16");
        CHECK(run.training().facts().at("nodes") == "64");
      }
    }
  }
}

TEST_CASE("without roll-back what freezes keeps its primed values") {
  Run run(find_method("far"), {"learners=0.25", "priming=0.2", "rollback=no"}), primed(find_method("far"), {"learners=0.25", "priming=0.2", "rollback=no"});
  const auto base = all_values(run.network());
  primed.steps(0, 2);  // the priming alone
  run.steps(0, kSteps);
  const auto before = all_values(primed.network()), after = all_values(run.network());
  for (std::size_t i = 0; i < base.size(); ++i) {
    const Parameter& p = run.network().parameters()[i];
    INFO(p.name);
    const std::string_view word = role_info(p.role).word;
    if (p.is_head || word.starts_with("ffn.in") || word.starts_with("ffn.out")) continue;
    CHECK(after[i] == before[i]);
    CHECK(after[i] != base[i]);
  }
  CHECK(run.training().selected() == run.network().table().body_elements());
}

TEST_CASE("learners keep the best values where another step was better") {
  Run run(find_method("far"), {"priming=0.2"});
  run.keep_at = 6;
  run.steps(0, 7);
  const std::vector<float> best = run.values();
  run.steps(7, kSteps);
  CHECK(run.values() != best);
  run.training().restore_best();
  CHECK(run.values() == best);
  run.gradients(run.network(), 0);  // also of the split layers' own copies
  Run other(find_method("full"));
  for (std::size_t i = 0; i < other.network().parameters().size(); ++i) {
    std::copy_n(run.network().values(i).begin(), run.network().parameters()[i].count, other.network().values(i).begin());
  }
  other.gradients(other.network(), 0);
  const std::size_t head = run.network().table().find(Role::head_w);
  for (std::size_t j = 0; j < run.network().parameters()[head].count; ++j) {
    CHECK(run.network().gradient(head).at(j) == Approx(other.network().gradient(head).at(j)).epsilon(1e-5).margin(1e-7));
  }
}

TEST_CASE("FAR refuses a share of no node and a model without feed-forward layers") {
  CHECK(message_of([] { Run run(find_method("far"), {"learners=0.01"}); }).find("selects none of 64 nodes") != std::string::npos);
  CHECK(message_of([] { Run run(find_method("far"), {"learners=0"}); }).find("selects none of 64 nodes") != std::string::npos);
  CHECK(message_of([] { Run run(find_method("far"), {"learners=1.5"}); }).find("from 0 to 1") != std::string::npos);
  const ModelConfig config = tiny_config();
  const MemoryTensors base = tiny_bert(config);
  ParameterTable table = match_parameters(base, config, 3, "tiny");
  std::erase_if(table.parameters, [](const Parameter& p) { return role_info(p.role).word.starts_with("ffn."); });
  Network network(base, table, {TaskKind::classification, 1, Device::cpu});
  const MethodRow& method = find_method("far");
  const Settings settings(method.hyperparameters, method.presets, {}), ffn(method.hyperparameters, method.presets, {"prime=ffn"});
  CHECK(message_of([&] { (void)method.start(network, {}, settings); }) == "--method far: this model has no feed-forward layers");
  CHECK(message_of([&] { select_trainable(network, method, ffn); }).find("--method far: this model has no tensor") == 0);
}
