// Masking (Zhao, Lin, Mi, Jaggi, Schütze 2020): no weight changes its value, some become zero. Every weight of the masked tensors has a
// real score; theta = theta0 where the score is not below the threshold, else 0; the gradient passes the threshold as if it were not there.
#include <array>
#include <cmath>

#include "trainer/methods/dense_optimizer.h"
#include "trainer/optim/threads.h"
#include "trainer/text/philox.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"sparsity", "0.05", "share of the weights that are masked at the start"},
    Hyperparameter{"width", "0.1", "width of the range from which scores are drawn: a weight flips once lr times steps has crossed its part of it"},
    Hyperparameter{"head", "train", "train: the new head trains, paper: its random weights are masked too, its biases stay zero"},
    Hyperparameter{"train", "linear", "tensors that are masked; as --train SELECTOR"},
    Hyperparameter{"lr", "", "learning rate of the scores; as --lr"},
};
constexpr std::array kUpper = {PresetValue{"train", "layer[2:].linear,pooler.w"}, PresetValue{"head", "paper"}};
constexpr std::array kPresets = {
    Preset{"paper", "what the paper masks of BERT-base: the linear layers from the third on, the pooler and the random head", kUpper},
};

class Masking : public Training {
 public:
  Masking(Network& network, const MethodOptions& options, const Settings& settings) : network_(network), options_(options) {
    const double sparsity = settings.number("sparsity", 0, 0.99), width = settings.number("width", 1e-6, 1e3);
    const bool mask_head = settings.word("head", {"train", "paper"}) == "paper";
    std::vector<std::size_t> head;
    for (std::size_t i = 0; i < network.parameters().size(); ++i) {
      const Parameter& p = network.parameters()[i];
      if (!p.trainable) continue;
      if (p.is_head && !mask_head) {
        head.push_back(i);
      } else if (p.is_head && role_info(p.role).kind == RoleKind::bias) {
        network.set_trainable(i, false);
      } else {
        tensors_.push_back(draw(i, sparsity, width));
      }
    }
    head_.emplace(network, head, options);
  }

  void begin_phase(std::size_t) override { apply(); }
  void step(const StepInfo& info) override {
    const long warmup = std::lround(options_.warmup * static_cast<double>(info.phase_steps));
    const double factor = schedule_factor(options_.schedule, info.phase_step, warmup, info.phase_steps);
    const double scale = options_.clip > 0 ? clip_scale(gradient_norm_squared(), options_.clip) : 1;
    const AdamWStep adamw = AdamWStep::at({options_.lr * factor, 0.9, 0.999, 1e-8, 0}, info.phase_step + 1, scale);
    for (Masked& t : tensors_) {
      for_each_run(t, [&](std::size_t, const Gradient::Run& run, std::span<const float> gradient) {
        const auto part = [&](std::vector<float>& all) { return std::span(all).subspan(run.first, run.count); };
        adamw_update(part(t.scores), part(t.m), part(t.v), gradient, adamw);
      });
    }
    head_->update(info.phase_step, factor, scale);
    apply();
  }
  std::vector<Reading> readings() const override {
    return {{"zeros", static_cast<double>(zeros()) / static_cast<double>(std::max<std::uint64_t>(1, selected()))}};
  }
  std::map<std::string, std::string> facts() const override { return {{"masked", std::to_string(zeros())}}; }
  void keep_best() override {
    for (Masked& t : tensors_) {
      t.best.resize(t.scores.size());
      for (std::size_t i = 0; i < t.scores.size(); ++i) t.best[i] = t.scores[i] >= 0;
    }
    best_head_.keep(network_, head_->indices());
  }
  void restore_best() override {
    for (const Masked& t : tensors_) {
      float* values = network_.values(t.index).data();
      for (std::size_t i = 0; i < t.best.size(); ++i) values[i] = t.best[i] != 0 ? t.base[i] : 0.0f;
    }
    best_head_.restore(network_);
  }
  std::uint64_t selected() const override {
    std::uint64_t total = 0;
    for (const Masked& t : tensors_) total += network_.parameters()[t.index].is_head ? 0 : t.base.size();
    return total;
  }
  void exchange_state(StateArchive& archive) override {
    archive.value("masking.begun", begun_);
    for (Masked& t : tensors_) {
      archive.array("masking.scores", std::span(t.scores));
      archive.array("masking.m", std::span(t.m));
      archive.array("masking.v", std::span(t.v));
      archive.list("masking.best", t.best, t.base.size());
      StateArchive::require(t.best.empty() || t.best.size() == t.base.size(), "masking.best");
    }
    head_->exchange_state(archive);
    best_head_.exchange_state(archive, network_);
    if (archive.reading() && begun_ != 0) apply();
  }

 private:
  struct Masked {
    std::size_t index;
    std::vector<float> base, scores, m, v;
    std::vector<std::uint8_t> best;  ///< 1 where the weight stays; empty: no best yet
  };

  /// Scores from U(-sparsity width, (1 - sparsity) width); the threshold is 0.
  Masked draw(std::size_t index, double sparsity, double width) {
    const std::span<const float> values = network_.values(index);
    const std::size_t n = values.size();
    Masked t{index, {values.begin(), values.end()}, std::vector<float>(n), std::vector<float>(n), std::vector<float>(n), {}};
    const Philox random(options_.seed, RandomStream::selection, 2, static_cast<std::uint32_t>(index));
    for (std::size_t i = 0; i < n; i += 4) {
      const PhiloxBlock words = random.block(i / 4);
      for (std::size_t lane = 0; lane < 4 && i + lane < n; ++lane) {
        t.scores[i + lane] = static_cast<float>(width * (static_cast<double>(uniform_float(words[lane])) - sparsity));
      }
    }
    return t;
  }

  /// body(run number, run, dL/dscore of its elements).
  template <typename Body>
  void for_each_run(const Masked& t, const Body& body) {
    const Gradient gradient = network_.gradient(t.index);
    parallel_ranges(gradient.runs(), 16, [&](std::size_t begin, std::size_t end) {
      std::vector<float> product;
      for (std::size_t r = begin; r < end; ++r) {
        const Gradient::Run run = gradient.run(r);
        product.resize(run.count);
        for (std::size_t i = 0; i < run.count; ++i) product[i] = run.gradient[i] * t.base[run.first + i];
        body(r, run, std::span<const float>(product));
      }
    });
  }

  double gradient_norm_squared() {
    double total = head_->gradient_norm_squared();
    for (const Masked& t : tensors_) {
      std::vector<double> sums(network_.gradient(t.index).runs());
      for_each_run(t, [&](std::size_t r, const Gradient::Run&, std::span<const float> gradient) { sums[r] = squared_norm(gradient); });
      for (const double sum : sums) total += sum;
    }
    return total;
  }

  void apply() {
    begun_ = 1;
    for (const Masked& t : tensors_) {
      float* values = network_.values(t.index).data();
      for (std::size_t i = 0; i < t.scores.size(); ++i) values[i] = t.scores[i] >= 0 ? t.base[i] : 0.0f;
    }
    network_.values_changed();
  }

  /// Body weights that the mask makes zero.
  std::uint64_t zeros() const {
    std::uint64_t total = 0;
    for (const Masked& t : tensors_) {
      if (network_.parameters()[t.index].is_head) continue;
      const float* values = network_.values(t.index).data();
      for (std::size_t i = 0; i < t.base.size(); ++i) total += values[i] == 0 && t.base[i] != 0;
    }
    return total;
  }

  Network& network_;
  MethodOptions options_;
  std::vector<Masked> tensors_;
  std::optional<DenseOptimizer> head_;
  ValuesCopy best_head_;
  std::uint8_t begun_ = 0;
};

std::unique_ptr<Training> start(Network& network, const MethodOptions& options, const Settings& settings) {
  return std::make_unique<Masking>(network, options, settings);
}

}  // namespace

MethodRow masking_method() {
  return {"masking", "weights keep their value or become zero (Zhao and others 2020)", kKeys, kPresets, 1e-3, 1e-3, 0.06, 0, 5, trains_setting,
          one_phase, start, 4};
}

}  // namespace dstore
