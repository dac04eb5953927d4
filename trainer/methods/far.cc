// FAR, freeze and reconfigure (Vucetic, Tayaranian, Ziaeefard, Clark, Meyer, Gross 2022): a few steps of fine-tuning show which nodes of the
// feed-forward layers move most (L1 norm of a node's change); these learn, the others freeze, and each layer runs as two from there on.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>

#include "base/decimal.h"
#include "dstore/error.h"
#include "trainer/methods/dense_optimizer.h"
#include "trainer/methods/node_phase.h"
#include "trainer/model/float_cast.h"
#include "trainer/optim/top_k.h"

namespace dstore {
namespace {

constexpr std::array kKeys = {
    Hyperparameter{"learners", "0.1", "share of the nodes of the feed-forward layers that learn"},
    Hyperparameter{"rank", "layer", "layer, model: the share is taken of each linear layer, or of all of them together"},
    Hyperparameter{"priming", "0.01", "share of the steps that fine-tune everything, to find the learners"},
    Hyperparameter{"prime", "all", "all, ffn: what trains while priming; ffn needs less memory"},
    Hyperparameter{"rollback", "yes",
                   "yes, no: whether what freezes after the priming gets the base's values back; no (the paper): a dense difference"},
    Hyperparameter{"rest", "frozen", "frozen, trainable: the encoder outside of the feed-forward layers, after the priming"},
    Hyperparameter{"lr", "", "learning rate; as --lr"},
};
constexpr std::array kTenth = {PresetValue{"learners", "0.1"}, PresetValue{"priming", "0.01"}, PresetValue{"rollback", "no"}};
constexpr std::array kTwoFifths = {PresetValue{"learners", "0.4"}, PresetValue{"priming", "0.01"}, PresetValue{"rollback", "no"}};
constexpr std::array kPresets = {
    Preset{"paper-10", "the paper's smallest share, 10 % of the nodes, after priming with 1 % of the steps", kTenth},
    Preset{"paper-40", "the paper's largest share, 40 % of the nodes, after priming with 1 % of the steps", kTwoFifths},
};

bool rest_trains(const Settings& settings) { return settings.word("rest", {"frozen", "trainable"}) == "trainable"; }

std::string trains(const Settings& settings) {
  return settings.word("prime", {"all", "ffn"}) == "all" || rest_trains(settings) ? "*" : "feed-forward";
}

std::vector<PhaseName> phases(const Settings& settings) {
  const double priming = settings.number("priming", 0, 0.99);
  return {{"prime", priming}, {"learn", 1 - priming}};
}

/// Those of the feed-forward blocks.
std::vector<LinearNodes> find_linears(const Network& network) {
  constexpr std::array kRoles = {std::pair{Role::ffn_in_w, Role::ffn_in_b}, std::pair{Role::ffn_out_w, Role::ffn_out_b}};
  std::vector<LinearNodes> linears;
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    const Parameter& p = network.parameters()[i];
    for (const auto& [weight, bias] : kRoles) {
      if (p.role == weight) linears.push_back({i, network.table().find(bias, p.layer), p.rows(), {}});
    }
  }
  return linears;
}

class Far : public Training {
 public:
  Far(Network& network, const MethodOptions& options, const Settings& settings)
      : network_(network), options_(options), share_(settings.number("learners", 0, 1)),
        by_layer_(settings.word("rank", {"layer", "model"}) == "layer"), rollback_(settings.yes("rollback")), rest_trains_(rest_trains(settings)),
        linears_(find_linears(network)) {
    if (linears_.empty()) throw Error(ErrorCode::invalid_argument, "--method far: this model has no feed-forward layers");
    for (const LinearNodes& linear : linears_) nodes_ += linear.nodes;
    if (wanted_nodes() == 0) {
      throw Error(ErrorCode::invalid_argument, "--set: learners=" + settings.text("learners") + " selects none of " + std::to_string(nodes_) +
                                                   " nodes; choose a larger share");
    }
    for (std::size_t i = 0; i < network.parameters().size(); ++i) {
      const Parameter& p = network.parameters()[i];
      if (p.trainable) (p.is_head ? head_ : body_).push_back(i);
    }
  }

  void begin_phase(std::size_t phase) override {
    if (phase == 0) return start_priming();
    choose_learners();
    if (rollback_) roll_back();
    start_learning();
  }
  void step(const StepInfo& info) override {
    const long warmup = std::lround(options_.warmup * static_cast<double>(info.phase_steps));
    const double factor = schedule_factor(options_.schedule, info.phase_step, warmup, info.phase_steps);
    const double learners = node_phase_ ? node_phase_->gradient_norm_squared() : 0;
    const double scale = clip_scale(dense_->gradient_norm_squared() + learners, options_.clip);
    dense_->update(info.phase_step, factor, scale);
    if (node_phase_) node_phase_->update(info.phase_step, factor, scale);
    network_.values_changed();
  }
  bool presentable() const override { return node_phase_.has_value(); }
  std::map<std::string, std::string> facts() const override { return facts_; }
  void keep_best() override {
    node_phase_->keep_best();
    best_dense_.keep(network_, dense_->indices());
  }
  void restore_best() override {
    node_phase_->restore_best();
    best_dense_.restore(network_);
  }
  std::uint64_t selected() const override {
    const bool learning = rollback_ && node_phase_;
    std::uint64_t total = learning ? node_phase_->selected() : 0;
    for (const std::size_t index : learning ? dense_->indices() : body_) {
      const Parameter& p = network_.parameters()[index];
      total += p.is_head ? 0 : p.count;
    }
    return total;
  }
  void exchange_state(StateArchive& archive) override {
    enum class Stage : std::uint8_t { none, priming, learning };
    Stage stage = node_phase_ ? Stage::learning : dense_ ? Stage::priming : Stage::none;
    archive.value("far.stage", stage);
    archive.texts("facts", facts_);
    if (stage == Stage::none) return;
    StateArchive::require(stage <= Stage::learning, "far.stage");
    if (stage == Stage::learning) return exchange_learning(archive);
    if (archive.reading()) start_priming();
    dense_->exchange_state(archive);
  }

 private:
  std::uint64_t wanted_nodes() const {
    if (!by_layer_) return density_count(share_, nodes_);
    std::uint64_t total = 0;
    for (const LinearNodes& linear : linears_) total += density_count(share_, linear.nodes);
    return total;
  }

  void start_priming() {
    std::vector<std::size_t> all = body_;
    base_.keep(network_, body_);
    all.insert(all.end(), head_.begin(), head_.end());
    dense_.emplace(network_, all, options_);
  }

  /// Of each node of a linear layer: L1 norm of the change of its weights and its bias.
  std::vector<float> movement(const LinearNodes& linear) {
    std::vector<float> moved;
    const std::span<const float> w = network_.values(linear.weight), b = network_.values(linear.bias);
    const std::span<const float> w0 = base_.values(linear.weight), b0 = base_.values(linear.bias);
    const std::size_t width = network_.parameters()[linear.weight].width();
    for (std::size_t node = 0; node < linear.nodes; ++node) {
      double sum = std::abs(static_cast<double>(b[node]) - static_cast<double>(b0[node]));
      for (std::size_t i = node * width; i < (node + 1) * width; ++i) sum += std::abs(static_cast<double>(w[i]) - static_cast<double>(w0[i]));
      moved.push_back(static_cast<float>(sum));
    }
    return moved;
  }

  void choose_learners() {
    std::vector<std::vector<float>> moved;
    std::vector<ScoreReader> readers;
    for (const LinearNodes& linear : linears_) moved.push_back(movement(linear));
    for (const std::vector<float>& scores : moved) {
      readers.push_back([&scores](const auto& take) { take(0, std::span<const float>(scores)); });
    }
    std::vector<std::vector<std::uint32_t>> chosen;
    if (!by_layer_) chosen = select_top_k(readers, wanted_nodes());
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < linears_.size(); ++i) {
      linears_[i].learners = by_layer_ ? select_top_k(std::span(&readers[i], 1), density_count(share_, linears_[i].nodes)).front() : chosen[i];
      found += linears_[i].learners.size();
    }
    if (found == 0) {
      throw Error(ErrorCode::invalid_argument, "no node has moved by a number other than 0 while priming: try another --lr; nothing is staged");
    }
    if (found < wanted_nodes()) {
      options_.warn("only " + std::to_string(found) + " of " + std::to_string(wanted_nodes()) + " nodes moved while priming; no others learn");
    }
    facts_["learner_nodes"] = std::to_string(found);
    facts_["nodes"] = std::to_string(nodes_);
  }

  /// Gives all that trains no longer the base's values.
  void roll_back() {
    for (const std::size_t index : body_) {
      if (rest_trains_ || is_linear(index)) continue;
      std::copy_n(base_.values(index).begin(), network_.parameters()[index].count, network_.values(index).begin());
    }
    for (const LinearNodes& linear : linears_) {
      for (const std::size_t index : {linear.weight, linear.bias}) {
        const std::size_t width = network_.parameters()[index].count / linear.nodes;
        auto learner = linear.learners.begin();
        for (std::size_t node = 0; node < linear.nodes; ++node) {
          if (learner != linear.learners.end() && *learner == node) {
            ++learner;
          } else {
            std::copy_n(base_.values(index).data() + node * width, width, network_.values(index).data() + node * width);
          }
        }
      }
    }
  }

  /// Of the learners, and of what else trains.
  void start_learning() {
    base_ = {};
    std::vector<std::size_t> dense = head_, frozen;
    for (const std::size_t index : body_) {
      if (!is_linear(index)) (rest_trains_ ? dense : frozen).push_back(index);
    }
    for (const std::size_t index : frozen) round_to(network_.parameters()[index].dtype, network_.values(index));  // from here on as it is stored
    network_.values_changed();
    for (const std::size_t index : frozen) network_.set_trainable(index, false);
    dense_.emplace(network_, dense, options_);
    node_phase_.emplace(network_, options_, linears_);
  }

  bool is_linear(std::size_t index) const {
    return std::any_of(linears_.begin(), linears_.end(), [&](const LinearNodes& l) { return l.weight == index || l.bias == index; });
  }

  void exchange_learning(StateArchive& archive) {
    for (LinearNodes& linear : linears_) {
      std::vector<std::uint32_t>& l = linear.learners;
      archive.list("far.learners", l, linear.nodes);
      StateArchive::require(std::is_sorted(l.begin(), l.end(), std::less_equal<>()) && (l.empty() || l.back() < linear.nodes), "far.learners");
    }
    if (!rollback_) {
      for (const std::size_t index : body_) archive.array("far.primed", network_.values(index));
    }
    if (archive.reading()) start_learning();
    node_phase_->exchange_state(archive);
    dense_->exchange_state(archive);
    best_dense_.exchange_state(archive, network_);
  }

  Network& network_;
  MethodOptions options_;
  double share_;
  bool by_layer_, rollback_, rest_trains_;
  std::vector<LinearNodes> linears_;
  std::uint64_t nodes_ = 0;
  std::vector<std::size_t> body_, head_;  ///< what trains while priming
  ValuesCopy base_;  ///< of the body, while priming
  std::optional<DenseOptimizer> dense_;
  std::optional<NodePhase> node_phase_;
  ValuesCopy best_dense_;
  std::map<std::string, std::string> facts_;
};

std::unique_ptr<Training> start(Network& network, const MethodOptions& options, const Settings& settings) {
  return std::make_unique<Far>(network, options, settings);
}

}  // namespace

MethodRow far_method() {
  return {"far", "the nodes of the feed-forward layers that move most at first; the others freeze (Vucetic and others 2022)", kKeys, kPresets, 2e-4,
          1e-3, 0.06, 0, 4, trains, phases, start};
}

}  // namespace dstore
