#include "repo/compare_tasks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/memory_gate.h"
#include "base/ordered_pipeline.h"
#include "delta/element.h"
#include "repo/change_window.h"

namespace dstore {
namespace {

constexpr std::uint64_t kStep = 1u << 18;           ///< units that are compared at once: a dense block
constexpr std::uint64_t kMemory = 96u << 20;        ///< of all windows that are open at once, but for one larger than this

/// A tensor of a task that is derived from one of the base.
struct Derived {
  std::size_t task;    ///< index into the tasks given
  std::size_t tensor;  ///< in its result
};

/// A range of a tensor of the base, and who changes that tensor.
struct Window {
  std::size_t tensor;
  std::uint64_t first, count;  ///< units
  const std::vector<Derived>* changed;
};

/// What one window adds to the numbers of a pair.
struct PairSums {
  std::uint64_t shared = 0, comparable = 0, opposite = 0;
  double dot = 0, opposite_energy = 0;
};

/// The changes of one task in one step, with their differences as numbers.
struct Step {
  Changes changes;
  std::vector<double> differences;
};

void add_pair(const Step& a, const Step& b, PairSums& sums) {
  const std::vector<std::uint64_t>& x = a.changes.positions;
  const std::vector<std::uint64_t>& y = b.changes.positions;
  for (std::size_t i = 0, j = 0; i < x.size() && j < y.size();) {
    const bool step_x = x[i] <= y[j], step_y = y[j] <= x[i];
    if (step_x && step_y) {
      const double d = a.differences[i], e = b.differences[j];
      ++sums.shared;
      sums.dot += d * e;
      sums.comparable += d != 0 && e != 0;
      if ((d < 0 && e > 0) || (d > 0 && e < 0)) {
        ++sums.opposite;
        sums.opposite_energy += d * d + e * e;
      }
    }
    i += step_x;
    j += step_y;
  }
}

/// The tasks on one base, and the numbers of all windows.
class Comparison {
 public:
  Comparison(const ObjectStore& store, const ObjectId& base_weights, const std::vector<TaskView>& tasks, std::vector<std::size_t> group, TaskComparison& out)
      : base_(StoredWeights::load(store, base_weights)), tasks_(tasks), group_(std::move(group)), out_(out) {
    for (const std::size_t task : group_) list_tensors(task);
    for (std::size_t i = 0; i < group_.size(); ++i) {
      for (std::size_t j = i + 1; j < group_.size(); ++j) {
        pair_places_[{group_[i], group_[j]}] = out_.pairs.size();
        out_.pairs.push_back({group_[i], group_[j]});
      }
    }
  }
  void run(unsigned threads, const Progress& progress);

 private:
  void list_tensors(std::size_t task);
  std::vector<Window> windows() const;
  void look(const Window& window, Bytes& out) const;
  void add(const Window& window, const Bytes& sums);
  std::uint64_t base_units(std::size_t tensor) const {
    return unit_count(base_->tensors()[tensor].dtype, base_->tensors()[tensor].bytes);
  }

  std::unique_ptr<StoredWeights> base_;
  const std::vector<TaskView>& tasks_;
  std::vector<std::size_t> group_;
  TaskComparison& out_;
  std::map<std::size_t, std::vector<Derived>> changed_;  ///< by tensor of the base
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> pair_places_;
  mutable MemoryGate gate_{kMemory};
};

/// Encoded pieces and factors of a derived tensor, chunks of one that is stored whole.
std::uint64_t stored_bytes(const StoredWeights& weights, std::size_t index) {
  std::uint64_t bytes = weights.chunk_bytes(index);
  weights.for_each_piece(index, [&](const SegmentReader& reader, std::size_t piece) { bytes += reader.pieces()[piece].bytes; });
  if (const StoredWeights* factors = weights.factors(index)) {
    bytes += factors->chunk_bytes(weights.derived(index)->factors.b) + factors->chunk_bytes(weights.derived(index)->factors.a);
  }
  return bytes;
}

void Comparison::list_tensors(std::size_t task) {
  using How = TensorChange::How;
  const StoredWeights& weights = *tasks_[task].weights;
  std::map<std::string, const DeltaTable::Change*> changes;
  TaskChanges& out = out_.tasks[task];
  for (const DeltaTable::Change& change : tasks_[task].delta->changes) {
    if (change.op == DeltaOp::remove) {
      ++out.removed;
    } else {
      changes[change.name] = &change;
    }
  }
  for (std::size_t i = 0; i < weights.tensors().size(); ++i) {
    TensorChange tensor;
    tensor.info = weights.tensors()[i];
    const std::uint64_t units = unit_count(tensor.info.dtype, tensor.info.bytes);
    const auto found = changes.find(tensor.info.name);
    if (found != changes.end() && found->second->op == DeltaOp::add) {
      tensor.how = How::added;
      tensor.new_units = units;
    } else {
      const std::size_t from = *base_->find(found == changes.end() ? tensor.info.name : found->second->from());
      tensor.base = base_->tensors()[from];
      tensor.how = found == changes.end() ? How::same : weights.is_modified(i) ? How::changed : How::renamed;
      tensor.difference.units = std::min(units, base_units(from));
      tensor.new_units = units - tensor.difference.units;
      if (const StoredWeights* factors = weights.factors(i)) tensor.rank = factors->tensors()[weights.derived(i)->factors.a].shape.front();
      if (weights.is_modified(i)) changed_[from].push_back({task, i});
    }
    if (tensor.how == How::added || tensor.how == How::changed) tensor.bytes = stored_bytes(weights, i);
    out.tensors.push_back(std::move(tensor));
  }
}

std::vector<Window> Comparison::windows() const {
  std::vector<Window> out;
  for (const auto& [tensor, changed] : changed_) {
    std::uint64_t count = piece_units(base_->tensors()[tensor].dtype);
    for (const Derived& derived : changed) count = std::max(count, piece_units(tasks_[derived.task].weights->tensors()[derived.tensor].dtype));
    for (std::uint64_t first = 0; first < base_units(tensor); first += count) out.push_back({tensor, first, count, &changed});
  }
  return out;
}

/// `out`: DifferenceStats for each derived tensor, PairSums for each pair of them; empty where nothing changes.
void Comparison::look(const Window& window, Bytes& out) const {
  out.clear();
  const std::uint64_t units = base_units(window.tensor);
  const std::uint64_t unit = unit_type(base_->tensors()[window.tensor].dtype).bytes;
  std::vector<ChangeWindow> changes;
  for (const Derived& derived : *window.changed) {
    changes.emplace_back(*tasks_[derived.task].weights, derived.tensor, window.first, window.count, units);
  }
  if (std::all_of(changes.begin(), changes.end(), [](const ChangeWindow& c) { return c.is_empty(); })) return;

  const bool wants_base = std::any_of(changes.begin(), changes.end(), [](const ChangeWindow& c) { return c.wants_base() && !c.is_empty(); });
  const std::uint64_t base_bytes = wants_base ? std::min(window.count, units - window.first) * unit : 0;
  std::uint64_t memory = base_bytes;
  for (const ChangeWindow& change : changes) memory += change.memory(kStep);
  const MemoryHold hold(gate_, memory);
  Bytes base(base_bytes);
  if (wants_base) base_->read(window.tensor, window.first * unit, base);
  for (ChangeWindow& change : changes) {
    if (!change.is_empty()) change.open(base, kStep);
  }

  const std::size_t n = changes.size();
  std::vector<DifferenceStats> stats(n);
  std::vector<PairSums> pairs(n * n);
  std::vector<Step> steps(n);
  for (std::uint64_t at = window.first; at < std::min(units, window.first + window.count); at += kStep) {
    for (std::size_t i = 0; i < n; ++i) {
      steps[i].changes = changes[i].is_empty() ? Changes{} : changes[i].step(at);
      const Changes& found = steps[i].changes;
      add_changes(changes[i].dtype(), found.old_values, found.new_values, stats[i]);
      if (n == 1) continue;
      steps[i].differences.resize(found.positions.size());
      differences(changes[i].dtype(), found.old_values, found.new_values, steps[i].differences);
    }
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = i + 1; j < n; ++j) add_pair(steps[i], steps[j], pairs[i * n + j]);
    }
  }
  out.resize(n * sizeof(DifferenceStats) + n * n * sizeof(PairSums));
  std::memcpy(out.data(), stats.data(), n * sizeof(DifferenceStats));
  std::memcpy(out.data() + n * sizeof(DifferenceStats), pairs.data(), n * n * sizeof(PairSums));
}

void Comparison::add(const Window& window, const Bytes& sums) {
  if (sums.empty()) return;
  const std::vector<Derived>& changed = *window.changed;
  const std::size_t n = changed.size();
  for (std::size_t i = 0; i < n; ++i) {
    DifferenceStats stats;
    std::memcpy(&stats, sums.data() + i * sizeof stats, sizeof stats);
    out_.tasks[changed[i].task].tensors[changed[i].tensor].difference += stats;
    for (std::size_t j = i + 1; j < n; ++j) {
      if (changed[i].task == changed[j].task) continue;
      PairSums more;
      std::memcpy(&more, sums.data() + n * sizeof stats + (i * n + j) * sizeof more, sizeof more);
      TaskPair& pair = out_.pairs[pair_places_.at({changed[i].task, changed[j].task})];
      pair.shared += more.shared;
      pair.comparable += more.comparable;
      pair.opposite += more.opposite;
      pair.dot += more.dot;
      pair.opposite_energy += more.opposite_energy;
    }
  }
}

void Comparison::run(unsigned threads, const Progress& progress) {
  const std::vector<Window> all = windows();
  const auto bytes = [&](const Window& window) {
    return std::min(window.count, base_units(window.tensor) - window.first) * unit_type(base_->tensors()[window.tensor].dtype).bytes;
  };
  std::uint64_t done = 0, total = 0;
  for (const Window& window : all) total += bytes(window);
  ordered_pipeline(
      all.size(), threads, [&](std::size_t i, Bytes& sums) { look(all[i], sums); },
      [&](std::size_t i, const Bytes& sums) {
        add(all[i], sums);
        done += bytes(all[i]);
        if (progress) progress(done, total);
      });
  for (const std::size_t task : group_) {
    for (const TensorChange& tensor : out_.tasks[task].tensors) out_.tasks[task].total += tensor.difference;
  }
  for (const auto& [tasks, place] : pair_places_) {
    TaskPair& pair = out_.pairs[place];
    const DifferenceStats& a = out_.tasks[pair.a].total;
    const DifferenceStats& b = out_.tasks[pair.b].total;
    pair.either = a.changed + b.changed - pair.shared;
    pair.energy_a = a.sum_of_squares;
    pair.energy_b = b.sum_of_squares;
  }
}

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

double TaskPair::jaccard() const { return share(static_cast<double>(shared), static_cast<double>(either)); }
double TaskPair::cosine() const { return share(dot, std::sqrt(energy_a) * std::sqrt(energy_b)); }
double TaskPair::conflict_rate() const { return share(static_cast<double>(opposite), static_cast<double>(comparable)); }
double TaskPair::conflict_energy() const { return share(opposite_energy, energy_a + energy_b); }

TaskComparison compare_tasks(const ObjectStore& store, const std::vector<TaskView>& tasks, unsigned threads, const Progress& progress) {
  TaskComparison out;
  out.tasks.resize(tasks.size());
  std::map<ObjectId, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < tasks.size(); ++i) groups[tasks[i].delta->base_weights].push_back(i);
  for (auto& [base, group] : groups) Comparison(store, base, tasks, std::move(group), out).run(threads, progress);
  std::sort(out.pairs.begin(), out.pairs.end(), [](const TaskPair& x, const TaskPair& y) { return std::pair(x.a, x.b) < std::pair(y.a, y.b); });
  return out;
}

}  // namespace dstore
