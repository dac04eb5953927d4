#include "trainer/loop/train.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/filesystem.h"
#include "base/parallel.h"
#include "dstore/error.h"
#include "trainer/loop/evaluate.h"
#include "trainer/loop/interrupt.h"
#include "trainer/loop/loop.h"
#include "trainer/loop/memory.h"
#include "trainer/loop/memory_room.h"
#include "trainer/loop/result.h"
#include "trainer/loop/resume.h"
#include "trainer/loop/run_facts.h"
#include "trainer/optim/threads.h"

namespace dstore {
namespace {

/// --lr, else the method's own setting (--set lr, or its preset's), else the method's default.
double learning_rate(const TrainOptions& o, const MethodRow& method, const Settings& settings) {
  if (o.lr) return *o.lr;
  const auto own = settings.all().find("lr");
  return own == settings.all().end() || own->second.empty() ? method.lr : settings.number("lr", 0, 1e3);
}

MethodOptions method_options(const TrainOptions& o, const MethodRow& method, const Settings& settings) {
  MethodOptions m;
  m.lr = learning_rate(o, method, settings);
  m.head_lr = o.head_lr.value_or(method.trains(settings).empty() ? m.lr : method.head_lr);  // nothing else trains: --lr is the head's
  m.weight_decay = o.weight_decay;
  m.clip = o.clip;
  m.warmup = o.warmup.value_or(method.warmup);
  m.schedule = parse_schedule(o.schedule);
  m.density = o.density.value_or(method.density);
  m.seed = o.seed;
  if (o.density && method.density == 0) {
    throw Error(ErrorCode::invalid_argument, "--density: method " + std::string(method.name) + " has no density");
  }
  if (o.weight_decay > 0 && method.density > 0) {
    throw Error(ErrorCode::invalid_argument, "--weight-decay: method " + std::string(method.name) +
                " trains a difference, which does not decay; leave it out");
  }
  return m;
}

long total_steps(const TrainOptions& o, std::size_t examples) {
  if (o.steps > 0) return o.steps;
  const double per_epoch = std::ceil(static_cast<double>(examples) / static_cast<double>(o.batch));
  return std::max(1L, std::lround(o.epochs * per_epoch));
}

void note_odd_texts(Progress& progress, const TaskData& data) {
  if (data.train.empty_texts > 0) {
    progress.note("note: " + std::to_string(data.train.empty_texts) + " of " + std::to_string(data.train.examples.size()) + " texts are empty");
  }
  if (data.train.truncated == 0) return;
  progress.note("note: " + std::to_string(data.train.truncated) + " of " + std::to_string(data.train.examples.size()) + " texts were cut to " +
                std::to_string(data.max_length) + " tokens (--max-length)");
}

/// Empty after an interrupt.
Predictions measure(Network& network, const Dataset& dataset, const char* split, const TaskData& data, long step,
                    std::vector<StagedMetric>& metrics) {
  const Predictions predictions = predict_as_stored(network, dataset, data.pad_id);
  if (interrupted()) return {};
  if (!predictions.finite()) fail_not_finite(std::string("the model's output on --") + split, step);
  for (const MetricValue& metric : score(predictions, dataset)) metrics.push_back({split, metric, dataset.examples.size(), dataset.sha256.hex()});
  return predictions;
}

/// `count` examples, or all if there are fewer, evenly spread: the file may be sorted.
Dataset sample_of(const Dataset& dataset, std::size_t count) {
  Dataset sample{dataset.path, dataset.sha256, dataset.task, dataset.classes, {}, 0, 0, dataset.labelled};
  count = std::min(count, dataset.examples.size());
  for (std::size_t i = 0; i < count; ++i) sample.examples.push_back(dataset.examples[i * dataset.examples.size() / count]);
  return sample;
}

int say_interrupted(const LoopResult& loop, long steps, const RunFolder* folder) {
  std::cerr << "dstore: interrupted after step " << loop.steps_done << " of " << steps << "; ";
  if (folder == nullptr) {
    std::cerr << "nothing is staged\n";
  } else {
    std::cerr << (loop.saved_step > 0 ? "saved after step " + std::to_string(loop.saved_step) : "nothing is saved yet") << ": go on with "
              << resume_command(folder->task()) << '\n';
  }
  return 130;
}

/// One training, from its options to the stage folder.
class TrainingRun {
 public:
  /// Reads base and data, and draws the head.
  TrainingRun(const TrainOptions& o, std::unique_ptr<RunFolder> folder)
      : o_(o),
        folder_(std::move(folder)),
        method_(find_own_method()),
        settings_(method_.hyperparameters, method_.presets, o.settings),
        phases_(method_.phases(settings_)),
        options_(method_options(o, method_, settings_)),
        model_(open_base()),
        config_json_(load_config(*model_)),
        config_(base_config()),
        data_(load_task_data(*model_, config_json_, config_, o.data)),
        network_(make_network()),
        trainable_(network_.table().trainable_elements()),
        steps_(total_steps(o, data_.train.examples.size())),
        need_(memory_need(network_, method_, data_, o, steps_)) {}

  int run() {
    if (o_.dry_run) print_plan();
    if (!o_.ignore_memory) require_memory(need_, memory_room());
    if (o_.dry_run) return 0;

    Progress progress(steps_, o_.quiet);
    note_odd_things(progress);
    options_.warn = [&](const std::string& line) { progress.warn("warning: " + line); };
    give_examples(options_, data_, [&](const std::string& line) { progress.note(line); });
    LoopOptions how = loop_options();
    settle(how);
    TrainingLog log(join_path(folder_ ? folder_->path() : o_.out, "train.jsonl"), o_.log);
    if (folder_) log.keep();
    how.log = &log;
    std::optional<EventFile> events;
    if (!o_.tensorboard.empty()) how.events = &events.emplace(o_.tensorboard, how.saving ? how.saving->from.value_or(0) : 0);
    const auto training = method_.start(network_, options_, settings_);
    progress.note(start_text());
    const InterruptGuard guard;
    const LoopResult loop = run_loop(network_, *training, phases_, data_, how, progress);
    if (loop.interrupted || !measure_result(loop)) return say_interrupted(loop, steps_, folder_.get());
    write_stage(loop, *training, log);
    if (!o_.quiet && !o_.json) print_summary();
    return 0;
  }

 private:
  const MethodRow& find_own_method() const {
    const MethodRow& method = find_method(o_.method);
    if (o_.resume) require_method(o_, *folder_);
    return method;
  }

  std::unique_ptr<Model> open_base() {
    if (o_.patience > 0 && o_.data.dev.empty()) throw Error(ErrorCode::invalid_argument, "--patience: needs --dev");
    if (saves(o_) && !folder_ && !o_.dry_run) folder_ = new_run_folder(o_);
    auto model = open_model(o_.model, o_.repository);
    set_training_threads(o_.threads ? o_.threads : available_threads());
    return model;
  }

  ModelConfig base_config() const {
    ModelConfig config = ModelConfig::parse(config_json_, model_->description());
    if (!o_.pooling.empty()) config.pooling = parse_pooling(o_.pooling);
    return config;
  }

  Network make_network() const {
    const MissingBiases missing = adds_missing_biases(settings_) ? MissingBiases::add : MissingBiases::refuse;
    Network network(model_->tensors(), match_parameters(model_->tensors(), config_, data_.outputs(), model_->description(), data_.same_task, missing),
                    {data_.task, o_.seed, parse_device(o_.device), parse_precision(o_.precision), o_.accumulate, o_.checkpoint_activations});
    select_trainable(network, method_, settings_);
    return network;
  }

  /// "training 22713216 of 22713216 weights and 9625 of the head, to select 113566" and a line on memory.
  std::string start_text() const {
    const ParameterTable& table = network_.table();
    std::uint64_t body = 0;
    for (const Parameter& p : table.parameters) body += p.trainable && !p.is_head ? p.count : 0;
    std::string text = "training " + std::to_string(body) + " of " + std::to_string(table.body_elements()) + " weights and " +
                       std::to_string(table.trainable_elements() - body) + " of the head";
    if (method_.density > 0) text += ", to select " + std::to_string(density_count(options_.density, table.body_elements()));
    return text + "\n" + memory_text(need_);
  }

  void print_plan() {
    (void)method_.start(network_, options_, settings_);  // refuses what a run would
    const ParameterTable& table = network_.table();
    for (const Parameter& p : table.parameters) {
      std::cout << (p.trainable ? "train   " : "frozen  ") << role_info(p.role).word << "  " << printable(p.name) << (p.source ? "" : "  (new)")
          << '\n';
    }
    for (const std::string& name : table.unused) std::cout << "unused  -  " << printable(name) << '\n';
    std::cout << start_text() << "\nexamples " << data_.train.examples.size() << ", outputs " << table.outputs << ", steps " << steps_ << '\n';
  }

  /// Biases that the base lacks.
  std::ptrdiff_t added() const {
    const std::vector<Parameter>& all = network_.parameters();
    return std::count_if(all.begin(), all.end(), [](const Parameter& p) { return !p.source && !p.is_head; });
  }

  void note_odd_things(Progress& progress) const {
    if (o_.precision == "bf16" && o_.device == "cpu" && !cpu_has_bf16()) {
      progress.note("note: this processor has no bf16 instructions (AVX512-BF16, AMX): --precision bf16 saves memory here, not time");
    }
    if (added() > 0) progress.note("note: the base lacks " + std::to_string(added()) + " biases; they begin as zeros and are stored with the task");
    note_odd_texts(progress, data_);
  }

  LoopOptions loop_options() const {
    const long epoch = static_cast<long>((data_.train.examples.size() + o_.batch - 1) / o_.batch);
    const long eval_every = o_.eval_every > 0 ? o_.eval_every : epoch;
    LoopOptions how{o_.seed, o_.batch, steps_, eval_every, o_.patience, o_.min_delta, o_.keep == "last", o_.buckets};
    how.rate = [this](long step, long of) {
      return options_.lr * schedule_factor(options_.schedule, step, std::lround(options_.warmup * static_cast<double>(of)), of);
    };
    return how;
  }

  /// What the run is, for the commit and for the saved run, which it must agree with where it goes on.
  void settle(LoopOptions& how) {
    facts_ = run_facts(o_, method_, options_, settings_, data_, config_.pooling, steps_, how.eval_every);
    RunRecord record = new_record(o_, method_, options_, settings_, data_, config_.pooling, how.eval_every);
    if (model_->commit()) record.base = model_->commit()->hex();
    record.data = digests(data_);
    if (!o_.expected_data.empty()) require_data(o_.expected_data, record.data, "--reproduce");
    if (folder_) {
      const auto from = settle_run(o_, *folder_, record);
      how.saving.emplace(Saving{*folder_, record.id(), o_.save_every.value_or(0)});
      how.saving->from = from;
      if (!saves(o_)) how.saving->every_seconds = std::numeric_limits<double>::infinity();
    }
    facts_["config"] = config_line(recorded_part(record.config));
    if (!record.changes.empty()) facts_["changed_on_the_way"] = record.changes;
    if (added() > 0) facts_["added_biases"] = std::to_string(added());
  }

  /// False after an interrupt.
  bool measure_result(const LoopResult& loop) {
    if (data_.test) on_test_ = measure(network_, *data_.test, "test", data_, loop.steps_done, metrics_);
    if (interrupted()) return false;
    for (const MetricValue& metric : o_.keep == "last" ? loop.dev_last : loop.dev_best) {
      metrics_.push_back({"dev", metric, data_.dev->examples.size(), data_.dev->sha256.hex()});
    }
    if (o_.train_sample > 0) measure(network_, sample_of(data_.train, o_.train_sample), "train", data_, loop.steps_done, metrics_);
    return !interrupted();
  }

  void write_stage(const LoopResult& loop, const Training& training, TrainingLog& log) {
    const ChangedCounts counts = write_tensors(network_, model_->tensors(), join_path(o_.out, "tensors.safetensors"));
    if (!counts.finite) fail_not_finite("a trained value", loop.steps_done);
    if (data_.test) write_outcomes(on_test_, *data_.test, join_path(o_.out, "outcomes.tsv"));
    add_outcome(facts_, loop, training, counts, trainable_, o_.keep);
    make_directories(posix_filesystem(), join_path(o_.out, "files"));
    write_text(join_path(o_.out, "files/config.json"), task_config(config_json_, *network_.table().family, data_, config_.pooling));
    write_text(join_path(o_.out, "stage.json"), stage_json(network_.table().base_prefix, model_->commit(), facts_, metrics_));
    if (folder_) {
      write_text(join_path(o_.out, "train.jsonl"), log.text());
      write_text(join_path(o_.out, "saved-run"), "");  // for dstore: once this is staged, the saved run is not needed
    }
    log.keep();
  }

  void print_summary() {
    std::cout << method_.name << ": " << facts_["selected"] << " weights selected, " << facts_["changed"] << " changed";
    if (!metrics_.empty()) {
      const StagedMetric& first = metrics_.front();
      std::cout << ", " << first.split << " " << first.metric.name << " " << shortest_decimal(std::round(first.metric.value * 1e4) / 1e4);
    }
    std::cout << ", " << facts_["seconds_per_step"] << " s/step\n";
  }

  const TrainOptions& o_;
  std::unique_ptr<RunFolder> folder_;
  const MethodRow& method_;
  Settings settings_;
  std::vector<PhaseName> phases_;
  MethodOptions options_;
  std::unique_ptr<Model> model_;
  std::string config_json_;
  ModelConfig config_;
  TaskData data_;
  Network network_;
  std::uint64_t trainable_;
  long steps_;
  MemoryNeed need_;
  Facts facts_;
  Predictions on_test_;
  std::vector<StagedMetric> metrics_;
};

}  // namespace

int run_training(const TrainOptions& options, std::unique_ptr<RunFolder> folder) { return TrainingRun(options, std::move(folder)).run(); }

}  // namespace dstore
