#include "study/cells.h"

#include <fnmatch.h>

#include <algorithm>

#include "base/decimal.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "repo/checkout_record.h"
#include "repo/resolve_base.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

/// Name and value of what is asked of the trainer, the files aside: its option's name without dashes.
std::vector<std::pair<std::string, std::string>> settings_of(const Study& study, const Cell& cell) {
  const StudyTask& task = *cell.task;
  const StudyMethod& method = *cell.method;
  std::vector<std::pair<std::string, std::string>> out{{"method", method.method}};
  const auto give = [&](const char* name, const std::string& value) {
    if (!value.empty()) out.emplace_back(name, value);
  };
  const auto give_number = [&](const char* name, std::uint64_t value) {
    if (value > 0) out.emplace_back(name, std::to_string(value));
  };
  if (cell.density) give("density", shortest_decimal(*cell.density));
  if (cell.rate) give(method.rate_setting.empty() ? "lr" : "set", (method.rate_setting.empty() ? "" : method.rate_setting + "=") + shortest_decimal(*cell.rate));
  if (method.head_rate) give("head-lr", shortest_decimal(*method.head_rate));
  give("train", method.train);
  for (const auto& [key, value] : method.settings) give("set", key + "=" + value);
  out.emplace_back("seed", std::to_string(cell.seed));
  give_number("steps", cell.steps);
  give_number("batch", study.batch);
  give_number("max-length", study.max_length);
  give_number("eval-every", cell.eval_every);
  if (!cell.candidate) give_number("train-sample", study.train_sample);
  give("format", task.format);
  give("text-column", task.text_column);
  give("pair-column", task.pair_column);
  give("label-column", task.label_column);
  return out;
}

}  // namespace

std::optional<double> Cell::metric(std::string_view split) const {
  for (const Metric& metric : content.metrics) {
    if (metric.split == split) return parse_number(metric.value);
  }
  return std::nullopt;
}

bool matches(const std::string& pattern, const std::string& name) { return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0; }

Cells::Cells(const Session& session, const Study& study, const Repository& repository) : study_(study) {
  const ObjectId base = resolve_base(repository, study.base);
  revision_ = base.hex();
  base_ = repository.require_commit(base).commit.checkpoint.hex();
  for (const StudyTask& task : study.tasks) {
    for (const std::string* file : {&task.train, &task.dev, &task.test}) digests_[*file] = hash_file(session.fs(), session.path(*file)).hex();
  }
  read(repository);
}

Cell Cells::run(const StudyTask& task, const StudyMethod& method, std::uint64_t seed, std::optional<double> density) const {
  Cell cell;
  cell.task = &task;
  cell.method = &method;
  cell.sweep = density.has_value();
  cell.density = density ? density : method.density;
  cell.seed = seed;
  cell.steps = task.steps.value_or(study_.steps);
  cell.eval_every = task.eval_every.value_or(study_.eval_every);
  cell.name = task.name + "/" + method.name + (density ? "/" + density_name(*density) : "") + "/seed-" + std::to_string(seed);
  choose_rate(cell);
  return cell;
}

Cell Cells::candidate(const StudyTask& task, const StudyMethod& method, double rate) const {
  Cell cell;
  cell.task = &task;
  cell.method = &method;
  cell.density = method.density;
  cell.rate = rate;
  cell.seed = study_.rate_seed;
  cell.steps = cell.eval_every = study_.rate_steps;
  cell.candidate = true;
  std::string number = shortest_decimal(rate);
  std::erase(number, '+');  // no branch may have it in its name
  cell.name = task.name + "/" + method.name + "/lr-" + number;
  cell.state = Cell::State::todo;
  return cell;
}

std::vector<const Cell*> Cells::candidates_of(const Cell& cell) const {
  std::vector<const Cell*> out;
  const std::string& task = cell.task->rates_of.empty() ? cell.task->name : cell.task->rates_of;
  if (cell.candidate) return out;
  for (const Cell& other : cells_) {
    if (other.candidate && other.method == cell.method && other.task->name == task) out.push_back(&other);
  }
  return out;
}

/// The best on dev; of equals the one that stands first in the file.
void Cells::choose_rate(Cell& cell) const {
  const std::vector<double>& rates = cell.method->rates;
  cell.state = Cell::State::todo;
  if (rates.empty()) return;
  cell.rate = rates.front();
  if (rates.size() == 1) return;
  std::optional<double> best;
  for (const Cell* candidate : candidates_of(cell)) {
    if (candidate->state == Cell::State::todo) {
      cell.rate = std::nullopt;
      cell.state = Cell::State::waiting;
      return;
    }
    const auto value = candidate->metric("dev");
    if (!candidate->is_done() || !value || (best && *value <= *best)) continue;
    best = value;
    cell.rate = candidate->rate;
  }
  if (!best) cell.state = Cell::State::failed;
}

/// What the store has under its branch, if that is the result of this very cell.
void Cells::add(const Repository& repository, Cell cell) {
  cell.branch = study_.prefix + "/" + cell.name;
  if (cell.state == Cell::State::todo) {
    cell.facts = facts(cell);
    const auto head = repository.refs().head(RefName::parse(cell.branch));
    if (head && head->kind == RefKind::branch && !head->is_deletion()) {
      Commit commit = repository.require_commit(head->new_commit).commit;
      if (commit.fact(kCellFact) == cell.facts) {
        cell.state = commit.fact(kErrorFact).empty() ? Cell::State::done : Cell::State::failed;
        cell.commit = head->new_commit;
        cell.content = std::move(commit);
      }
    }
  }
  cells_.push_back(std::move(cell));
}

void Cells::read(const Repository& repository) {
  cells_.clear();
  for (const StudyTask& task : study_.tasks) {
    for (const StudyMethod& method : study_.methods) {
      if (!task.runs(method.name) || !task.rates_of.empty() || method.rates.size() < 2) continue;
      for (const double rate : method.rates) add(repository, candidate(task, method, rate));
    }
  }
  for (const StudyTask& task : study_.tasks) {
    for (const std::uint64_t seed : study_.seeds) {
      for (const StudyMethod& method : study_.methods) {
        if (task.runs(method.name)) add(repository, run(task, method, seed, std::nullopt));
      }
    }
  }
  for (const StudyTask& task : study_.tasks) {
    for (const StudyMethod& method : study_.methods) {
      if (!task.runs(method.name) || !task.sweep) continue;
      for (const std::uint64_t seed : method.sweep_seeds.empty() ? study_.seeds : method.sweep_seeds) {
        for (const double density : method.sweep) add(repository, run(task, method, seed, density));
      }
    }
  }
}

std::string Cells::facts(const Cell& cell) const {
  std::string out = "base=" + base_;
  for (const auto& [name, value] : settings_of(study_, cell)) out += " " + name + "=" + value;
  return out + " " + digests(cell);
}

std::string Cells::digests(const Cell& cell) const {
  const StudyTask& task = *cell.task;
  const std::string two = "train=" + digests_.at(task.train) + " dev=" + digests_.at(task.dev);
  return cell.candidate ? two : two + " test=" + digests_.at(task.test);
}

std::vector<std::string> Cells::words(const Cell& cell) const {
  const StudyTask& task = *cell.task;
  std::vector<std::string> out{revision_, "--data", task.train, "--dev", task.dev};
  if (!cell.candidate) out.insert(out.end(), {"--test", task.test});
  for (const auto& [name, value] : settings_of(study_, cell)) out.insert(out.end(), {"--" + name, value});
  if (study_.threads > 0) out.insert(out.end(), {"--threads", std::to_string(study_.threads)});
  return out;
}

}  // namespace dstore::cli
