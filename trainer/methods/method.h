#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/methods/settings.h"
#include "trainer/methods/state.h"
#include "trainer/model/network.h"
#include "trainer/optim/schedule.h"

namespace dstore {

/// What every method is given: final, as the record of the run has it. Learning rates are peaks; a schedule runs over each phase.
struct MethodOptions {
  double lr = 0;
  double head_lr = 0;
  double weight_decay = 0;  ///< on weights; never on biases, norms and differences
  double clip = 1;
  double warmup = 0;  ///< share of a phase's steps
  Schedule schedule = Schedule::linear;
  double density = 0;
  std::uint64_t seed = 0;
  std::function<void(const std::string&)> warn;  ///< one line for the user
  /// Training example `i` of `examples` alone, in an order drawn from the seed; nothing where the user wants to stop. For methods that
  /// look at examples before they train.
  std::function<std::optional<Batch>(std::size_t i)> example;
  std::size_t examples = 0;
};

/// A number worth showing while training: {"mean_open", 0.31}.
struct Reading {
  std::string name;
  double value;
};

struct StepInfo {
  long step = 0;         ///< of the run, from 0: keys the random numbers
  long phase_step = 0;   ///< of the phase, from 0: drives schedules
  long phase_steps = 0;
};

/// A method at work on a network. The loop calls: begin_phase(0), step..., begin_phase(1), step..., for each phase.
class Training {
 public:
  virtual ~Training() = default;
  virtual void begin_phase(std::size_t phase) = 0;
  /// Uses the network's gradients, writes its values, ready for the next forward.
  virtual void step(const StepInfo& info) = 0;
  /// Whether the network now holds something that could be the result (not a noisy sample).
  virtual bool presentable() const { return true; }
  virtual std::vector<Reading> readings() const { return {}; }
  /// What the record of the run should say of the method's own doings, at its end.
  virtual std::map<std::string, std::string> facts() const { return {}; }
  /// Remembers the network's trained values; restore_best() puts them back.
  virtual void keep_best() = 0;
  virtual void restore_best() = 0;
  /// Body entries that the method may change.
  virtual std::uint64_t selected() const = 0;
  /// All that later steps depend on, with the values of what trains. Read into a training that was just started, on a
  /// network that holds the base; its phase is then the saved one's, begun already.
  virtual void exchange_state(StateArchive& archive) = 0;
};

struct PhaseName {
  std::string_view name;
  double share;  ///< of all steps
};

struct MethodRow {
  std::string_view name;
  std::string_view help;
  std::span<const Hyperparameter> hyperparameters;
  std::span<const Preset> presets;
  double lr;
  double head_lr;
  double warmup;
  double density;  ///< default; 0: the method has none
  double arrays;   ///< fp32 arrays that a trained weight costs at most, besides its value
  /// Selector (selector.h) of the body parameters that train; heads always do.
  std::string (*trains)(const Settings&);
  std::vector<PhaseName> (*phases)(const Settings&);
  std::unique_ptr<Training> (*start)(Network&, const MethodOptions&, const Settings&);
  double idle_row_arrays = 0;  ///< as `arrays`, for a word of the vocabulary that the data does not have
};

std::span<const MethodRow> methods();
/// Error{invalid_argument} that lists the methods.
const MethodRow& find_method(std::string_view name);
/// Marks what trains by the row.
void select_trainable(Network& network, const MethodRow& method, const Settings& settings);

/// Whether biases that the base lacks are to be added: match_parameters()'s `biases`.
bool adds_missing_biases(const Settings& settings);

std::vector<PhaseName> one_phase(const Settings&);
std::unique_ptr<Training> start_dense(Network&, const MethodOptions&, const Settings&);

/// One file each.
MethodRow select_method();
MethodRow diff_pruning_method();
MethodRow far_method();
MethodRow fish_method();
MethodRow lt_sft_method();
MethodRow top_k_method();
MethodRow random_mask_method();
MethodRow masking_method();
/// The setting `train`, of the methods that have it.
std::string trains_setting(const Settings&);

}  // namespace dstore
