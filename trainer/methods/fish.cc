// FISH mask (Sung, Nair, Raffel 2021): the entries with the largest Fisher information train, all others stay. Gradients are taken one
// example at a time, without dropout: squares of a batch's mean gradient would be something else.
#include <array>
#include <cmath>

#include "base/decimal.h"
#include "dstore/error.h"
#include "trainer/methods/masked_training.h"
#include "trainer/model/squared_gradients.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"estimate", "label", "label: gradient of the given label (empirical Fisher), expect: expectation over all classes (true Fisher)"},
    Hyperparameter{"samples", "1024", "training examples that the information is estimated from"},
    Hyperparameter{"budget", "body", "body: --density of the base's weights, all: the head's weights count too and are taken off"},
    Hyperparameter{"train", "*", "tensors that entries are selected from; as --train SELECTOR"},
    Hyperparameter{"lr", "", "learning rate; as --lr"},
};
constexpr std::array kShort = {PresetValue{"lr", "1e-3"}};
constexpr std::array kPaper = {PresetValue{"budget", "all"}, PresetValue{"estimate", "label"}, PresetValue{"samples", "1024"},
                               PresetValue{"lr", "5e-5"}};
constexpr std::array kPresets = {
    Preset{"short", "for runs of some hundred steps on small models (the defaults)", kShort},
    Preset{"paper", "the paper's values for BERT-large; with --density 0.5% --epochs 7 --batch 16", kPaper},
};

class Fish : public MaskedTraining {
 public:
  Fish(Network& network, const MethodOptions& options, const Settings& settings)
      : MaskedTraining(network, options, {.lr = options.lr}), expect_(settings.word("estimate", {"label", "expect"}) == "expect"),
        samples_(static_cast<std::size_t>(std::llround(settings.number("samples", 1, 1e12)))), entries_(count()) {
    if (settings.word("budget", {"body", "all"}) == "body") return;
    std::uint64_t head = 0;
    for (const std::size_t index : head_indices_) head += network.parameters()[index].count;
    const std::uint64_t all = density_count(options.density, network.table().body_elements() + head);
    if (all <= head) {
      throw Error(ErrorCode::invalid_argument, "--density: " + std::to_string(all) + " weights are no more than the head's " + std::to_string(head) +
                                                   "; choose a larger one, or leave out budget=all");
    }
    entries_ = all - head;
  }

  void begin_phase(std::size_t) override {
    SquaredGradients squares(network_, body());
    const std::size_t samples = std::min(samples_, options_.examples);
    for (std::size_t i = 0; i < samples; ++i) {
      const std::optional<Batch> example = options_.example(i);
      if (!example) return;
      if (expect_) {
        network_.for_each_class(*example, [&](double probability) { squares.add(network_, probability); });
      } else {
        network_.loss_and_gradients(*example, std::nullopt);
        squares.add(network_, 1);
      }
    }
    facts_["fisher_examples"] = std::to_string(samples);
    train_selection(choose(readers(squares.sums()), entries_, "Fisher information"));
  }

 private:
  static std::vector<ScoreReader> readers(const std::vector<std::vector<double>>& sums) {
    std::vector<ScoreReader> all;
    for (const std::vector<double>& sum : sums) {
      all.push_back([&sum](const auto& body) {
        std::vector<float> scores(Gradient::kRun);
        for (std::size_t first = 0; first < sum.size(); first += scores.size()) {
          const std::size_t n = std::min(scores.size(), sum.size() - first);
          for (std::size_t i = 0; i < n; ++i) scores[i] = static_cast<float>(std::sqrt(sum[first + i]));  // fits fp32's range
          body(first, std::span<const float>(scores.data(), n));
        }
      });
    }
    return all;
  }

  bool expect_;
  std::size_t samples_;
  std::uint64_t entries_;
};

std::unique_ptr<Training> start(Network& network, const MethodOptions& options, const Settings& settings) {
  return std::make_unique<Fish>(network, options, settings);
}

}  // namespace

MethodRow fish_method() {
  return {"fish", "the entries with the largest Fisher information (Sung, Nair, Raffel 2021)", kKeys, kPresets, 1e-3, 1e-3, 0.06, 0.005, 3,
          trains_setting, one_phase, start, 2};
}

}  // namespace dstore
