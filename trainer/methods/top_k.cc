// A control: the largest changes of a fine-tune by magnitude, as they are or trained again (non-adaptive diff pruning).
#include <array>

#include "trainer/methods/lottery.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"start", "base", "base, found: from where the selected entries train; none: they do not, the fine-tune's values are the result"},
    kMaskShareSetting,
    kMaskLrSetting,
    kLotteryTrainSetting,
    Hyperparameter{"lr", "", "learning rate of the fine-tuning; as --lr"},
};

bool trains_again(const Settings& settings) { return settings.word("start", {"base", "found", "none"}) != "none"; }

std::vector<PhaseName> phases(const Settings& settings) {
  if (!trains_again(settings)) return {{"full", 1}};
  const double mask = mask_share(settings);
  return {{"full", 1 - mask}, {"mask", mask}};
}

std::unique_ptr<Training> start(Network& network, const MethodOptions& options, const Settings& settings) {
  LotterySettings lottery;
  lottery.start = !trains_again(settings) ? MaskStart::none : settings.text("start") == "base" ? MaskStart::before : MaskStart::found;
  return std::make_unique<LotteryTraining>(network, options, mask_settings(settings), lottery);
}

}  // namespace

MethodRow top_k_method() {
  return {"top-k", "fine-tuning, then the largest changes by magnitude: what adaptive masks are compared with", kKeys, {}, 2e-4, 1e-3, 0.06, 0.005, 4,
          trains_setting, phases, start, 1};
}

}  // namespace dstore
