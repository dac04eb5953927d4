// A control: entries drawn at random, without replacement, train.
#include <array>

#include "trainer/methods/masked_training.h"
#include "trainer/text/philox.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"train", "*", "tensors that entries are drawn from; as --train SELECTOR"},
    Hyperparameter{"lr", "", "learning rate; as --lr"},
};

class RandomMask : public MaskedTraining {
 public:
  RandomMask(Network& network, const MethodOptions& options) : MaskedTraining(network, options, {.lr = options.lr}) {}

  void begin_phase(std::size_t) override {
    std::vector<ScoreReader> readers;
    for (const std::size_t index : body()) {
      readers.push_back([this, index](const auto& take) {
        const Philox random(options_.seed, RandomStream::selection, 1, static_cast<std::uint32_t>(index));
        const std::size_t count = network_.parameters()[index].count;
        std::vector<float> scores(Gradient::kRun);  // a multiple of a block's four
        for (std::size_t first = 0; first < count; first += scores.size()) {
          for (std::size_t i = 0; i < scores.size(); i += 4) {
            const PhiloxBlock words = random.block((first + i) / 4);
            for (std::size_t lane = 0; lane < 4; ++lane) scores[i + lane] = uniform_float(words[lane]);
          }
          take(first, std::span<const float>(scores.data(), std::min(scores.size(), count - first)));
        }
      });
    }
    train_selection(choose(readers, count(), "a random number"));
  }
};

std::unique_ptr<Training> start(Network& network, const MethodOptions& options, const Settings&) {
  return std::make_unique<RandomMask>(network, options);
}

}  // namespace

MethodRow random_mask_method() {
  return {"random-mask", "entries drawn at random: what other masks are compared with", kKeys, {}, 1e-3, 1e-3, 0.06, 0.005, 0, trains_setting,
          one_phase, start};
}

}  // namespace dstore
