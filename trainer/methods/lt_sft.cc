// Lottery-ticket sparse fine-tuning (Ansell, Ponti, Korhonen, Vulić 2022).
#include <array>
#include <cmath>

#include "trainer/methods/lottery.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"iterations", "1", "rounds of search and training; each selects its share"},
    kMaskShareSetting,
    kMaskLrSetting,
    Hyperparameter{"full_l1", "0", "weight of the mean absolute difference from the base in the loss, while everything trains"},
    Hyperparameter{"mask_l1", "0", "the same while the selected entries train"},
    kLotteryTrainSetting,
    Hyperparameter{"lr", "", "learning rate while everything trains; as --lr"},
};
constexpr std::array kShort = {PresetValue{"lr", "2e-4"}, PresetValue{"mask_lr", "1e-3"}};
constexpr std::array kPaper = {PresetValue{"lr", "2e-5"}, PresetValue{"mask_lr", "2e-5"}};
constexpr std::array kPresets = {
    Preset{"short", "for runs of some hundred steps on small models (the defaults)", kShort},
    Preset{"paper", "the paper's rate for XNLI; with --batch 32 --epochs 10 (5 + 5)", kPaper},
};

long rounds(const Settings& settings) { return std::lround(settings.number("iterations", 1, 1000)); }

std::vector<PhaseName> phases(const Settings& settings) {
  const double mask = mask_share(settings), share = 1.0 / static_cast<double>(rounds(settings));
  std::vector<PhaseName> all;
  for (long i = 0; i < rounds(settings); ++i) {
    all.push_back({"full", share * (1 - mask)});
    all.push_back({"mask", share * mask});
  }
  return all;
}

std::unique_ptr<Training> start(Network& network, const MethodOptions& options, const Settings& settings) {
  double elements = 0;
  for (const Parameter& p : network.parameters()) elements += static_cast<double>(p.count);
  MaskSettings mask = mask_settings(settings);
  mask.l1 /= elements;
  return std::make_unique<LotteryTraining>(
      network, options, mask,
      LotterySettings{.iterations = static_cast<std::size_t>(rounds(settings)), .search_l1 = settings.number("full_l1", 0, 1e6) / elements});
}

}  // namespace

MethodRow lt_sft_method() {
  return {"lt-sft", "the entries that full fine-tuning moves most, trained again from the base (Ansell and others 2022)", kKeys, kPresets, 2e-4,
          1e-3, 0.06, 0.005, 4, trains_setting, phases, start, 1};
}

}  // namespace dstore
