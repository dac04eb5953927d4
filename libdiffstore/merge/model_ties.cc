// TIES with one threshold for the whole model (spec/merging.md, "Trimming", largest of the model).
#include <cmath>
#include <mutex>
#include <optional>

#include "base/radix_select.h"
#include "merge/rounding.h"
#include "merge/task_vectors.h"

namespace dstore {
namespace {

class ModelTies : public ModelMerge {
 public:
  ModelTies(const MergeSettings& settings, std::span<const MergedTensor> tensors) : settings_(settings), tensors_(tensors), models_(settings.models()) {
    for (const MergedTensor& tensor : tensors) {
      elements_ += tensor.elements;
      if (tensor.dtype == DType::f64) bits_ = 64;
    }
    stage_ = settings.word("density_of") == "nnz" ? Stage::count : Stage::select;
    if (stage_ == Stage::select) {
      for (Model& model : models_) model.candidates = elements_;
      select();
    }
  }
  bool wants_pass() const override { return stage_ != Stage::done; }
  void look(std::size_t tensor, const MergeWindow& window) override {
    if (stage_ != Stage::elect) return with_arithmetic(tensors_[tensor].dtype, [&]<class A>(A) { count_keys<A>(window); });
    const std::int64_t balance = balance_of_elections(settings_, tensors_[tensor], trims(), window);
    const std::scoped_lock lock(mutex_);
    balance_ += balance;
  }
  void end_pass() override {
    if (stage_ == Stage::count) {
      stage_ = Stage::select;
      return select();
    }
    if (stage_ == Stage::elect) {
      majority_ = balance_ >= 0 ? 1 : -1;
      stage_ = Stage::done;
      return;
    }
    for (Model& model : models_) {
      if (!model.select->done()) model.select->narrow(model.counts);
      model.counts.assign(model.select->done() ? 0 : RadixSelect::kBins, 0);
    }
    leave_select();
  }
  std::unique_ptr<TensorMerge> make(const MergeSettings& settings, std::size_t tensor) const override {
    return make_ties(settings, tensors_[tensor], trims(), majority_);
  }

 private:
  enum class Stage { count, select, elect, done };
  struct Model {
    std::uint64_t candidates = 0;  ///< elements, or those with a difference
    std::optional<RadixSelect> select;
    RadixSelect::Counts counts;
  };

  void select() {
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const double density = settings_.number("density", i), exact = std::floor(density * static_cast<double>(models_[i].candidates));
      const auto least = static_cast<std::uint64_t>(density > 0 ? settings_.number("least") : 0);
      models_[i].select.emplace(bits_, density >= 1 ? UINT64_MAX : std::max(least, static_cast<std::uint64_t>(exact)));
      models_[i].counts.assign(RadixSelect::kBins, 0);
    }
    leave_select();
  }
  void leave_select() {
    for (const Model& model : models_) {
      if (!model.select->done()) return;
    }
    stage_ = settings_.word("tie") == "global" ? Stage::elect : Stage::done;
  }
  Trims trims() const {
    Trims out;
    for (const Model& model : models_) out.push_back(Trim::above(bits_, model.select->threshold()));
    return out;
  }
  template <class A>
  void count_keys(const MergeWindow& window) {
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < models_.size(); ++i) {
      Model& model = models_[i];
      const double* const values = window.models[i].data();
      const double* const base = window.base.data();
      for (std::size_t j = 0; j < window.size(); ++j) {
        const std::uint64_t key = magnitude_key(difference<A>(values[j], base[j]), bits_);
        if (stage_ == Stage::count) model.candidates += key != 0;
        else if (!model.select->done() && model.select->wants(key)) ++model.counts[model.select->digit(key)];
      }
    }
  }

  const MergeSettings& settings_;
  std::span<const MergedTensor> tensors_;
  std::vector<Model> models_;
  std::uint64_t elements_ = 0;
  unsigned bits_ = 32;
  Stage stage_ = Stage::select;
  std::int64_t balance_ = 0;
  std::optional<int> majority_;
  std::mutex mutex_;
};

}  // namespace

std::unique_ptr<ModelMerge> make_model_ties(const MergeSettings& settings, std::span<const MergedTensor> tensors) {
  if (settings.word("trim_scope") != "model") return nullptr;
  return std::make_unique<ModelTies>(settings, tensors);
}

}  // namespace dstore
