#include "trainer/loop/train.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <iostream>

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
#include "trainer/loop/saved_run.h"
#include "trainer/optim/threads.h"

namespace dstore {
namespace {

using Facts = std::map<std::string, std::string>;

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
    throw Error(ErrorCode::invalid_argument, "--weight-decay: method " + std::string(method.name) + " trains a difference, which does not decay; leave it out");
  }
  return m;
}

long total_steps(const TrainOptions& o, std::size_t examples) {
  if (o.steps > 0) return o.steps;
  const double per_epoch = std::ceil(static_cast<double>(examples) / static_cast<double>(o.batch));
  return std::max(1L, std::lround(o.epochs * per_epoch));
}

/// "training 22713216 of 22713216 weights and 9625 of the head, to select 113566" and a line on memory.
std::string start_text(const Network& network, const MethodRow& method, const MethodOptions& options, const MemoryNeed& need) {
  const ParameterTable& table = network.table();
  std::uint64_t body = 0;
  for (const Parameter& p : table.parameters) body += p.trainable && !p.is_head ? p.count : 0;
  std::string text = "training " + std::to_string(body) + " of " + std::to_string(table.body_elements()) + " weights and " +
                     std::to_string(table.trainable_elements() - body) + " of the head";
  if (method.density > 0) text += ", to select " + std::to_string(density_count(options.density, table.body_elements()));
  return text + "\n" + memory_text(need);
}

void print_plan(const Network& network, const MethodRow& method, const MethodOptions& options, const TaskData& data, long steps, const MemoryNeed& need) {
  const ParameterTable& table = network.table();
  for (const Parameter& p : table.parameters) {
    std::cout << (p.trainable ? "train   " : "frozen  ") << role_info(p.role).word << "  " << printable(p.name) << (p.source ? "" : "  (new)") << '\n';
  }
  for (const std::string& name : table.unused) std::cout << "unused  -  " << printable(name) << '\n';
  std::cout << start_text(network, method, options, need) << "\nexamples " << data.train.examples.size() << ", outputs " << table.outputs
            << ", steps " << steps << '\n';
}

std::string digests(const TaskData& data) {
  std::string text = "train=" + data.train.sha256.hex();
  if (data.dev) text += " dev=" + data.dev->sha256.hex();
  if (data.test) text += " test=" + data.test->sha256.hex();
  return text;
}

std::string truncated_texts(const TaskData& data) {
  std::string text = "train=" + std::to_string(data.train.truncated);
  if (data.dev) text += " dev=" + std::to_string(data.dev->truncated);
  if (data.test) text += " test=" + std::to_string(data.test->truncated);
  return text;
}

void note_odd_texts(Progress& progress, const TaskData& data) {
  if (data.train.empty_texts > 0) {
    progress.note("note: " + std::to_string(data.train.empty_texts) + " of " + std::to_string(data.train.examples.size()) + " texts are empty");
  }
  if (data.train.truncated == 0) return;
  progress.note("note: " + std::to_string(data.train.truncated) + " of " + std::to_string(data.train.examples.size()) + " texts were cut to " +
                std::to_string(data.max_length) + " tokens (--max-length)");
}

Facts run_facts(const TrainOptions& o, const MethodRow& method, const MethodOptions& m, const Settings& settings, const TaskData& data, Pooling pooling,
                long steps, long eval_every) {
  Facts f;
  f["method"] = method.name;
  if (method.density > 0) f["density"] = shortest_decimal(m.density);
  for (const auto& [name, value] : settings.all()) {
    if (!value.empty() && name != "lr") f["set." + name] = value;  // lr is decided, and recorded, below
  }
  f["seed"] = std::to_string(o.seed);
  f["steps"] = std::to_string(steps);
  if (o.steps == 0) f["epochs"] = shortest_decimal(o.epochs);
  f["batch"] = std::to_string(o.batch);
  f["accumulate"] = std::to_string(o.accumulate);
  f["precision"] = o.precision;
  f["checkpoint_activations"] = o.checkpoint_activations ? "yes" : "no";
  f["buckets"] = std::to_string(o.buckets);
  f["lr"] = shortest_decimal(m.lr);
  f["head_lr"] = shortest_decimal(m.head_lr);
  f["warmup"] = shortest_decimal(m.warmup);
  f["schedule"] = schedule_name(m.schedule);
  f["weight_decay"] = shortest_decimal(m.weight_decay);
  f["clip"] = shortest_decimal(m.clip);
  f["eval_every"] = std::to_string(eval_every);
  f["max_length"] = std::to_string(data.max_length);
  f["pooling"] = pooling_name(pooling);
  f["task"] = o.data.task;
  f["data"] = file_name(o.data.data);
  f["format"] = data.format;
  f["text_column"] = data.text_column;
  if (!data.pair_column.empty()) f["pair_column"] = data.pair_column;
  f["label_column"] = data.label_column;
  if (!o.data.dev.empty()) f["dev"] = file_name(o.data.dev);
  if (!o.data.test.empty()) f["test"] = file_name(o.data.test);
  f["data_sha256"] = digests(data);
  f["n_train"] = std::to_string(data.train.examples.size());
  if (data.dev) f["n_dev"] = std::to_string(data.dev->examples.size());
  if (data.test) f["n_test"] = std::to_string(data.test->examples.size());
  f["truncated"] = truncated_texts(data);
  f["labels"] = std::to_string(data.labels.size());
  f["threads"] = std::to_string(training_threads());
  f["device"] = o.device;
  f["cpu_capability"] = cpu_capability();
  f["libtorch"] = libtorch_version();
  f["dstore_version"] = DSTORE_VERSION;
  return f;
}

void add_outcome(Facts& f, const LoopResult& loop, const Training& training, const ChangedCounts& counts, std::uint64_t trainable, const std::string& keep) {
  const auto rounded = [](double value) { return shortest_decimal(std::round(value * 1e4) / 1e4); };
  f.merge(training.facts());
  f["selected"] = std::to_string(training.selected());
  f["nonzero"] = std::to_string(counts.nonzero);
  f["changed"] = std::to_string(counts.changed);
  f["trainable"] = std::to_string(trainable);
  f["seconds"] = rounded(loop.seconds);
  f["seconds_per_step"] = rounded(loop.seconds / static_cast<double>(std::max(1L, loop.steps_done)));
  f["cpu_seconds_per_step"] = rounded(loop.cpu_seconds / static_cast<double>(std::max(1L, loop.steps_done)));
  f["loss_first"] = rounded(loop.loss_first);
  f["loss_last"] = rounded(loop.loss_last);
  if (loop.best_step != 0) {
    f["best_step"] = std::to_string(loop.best_step);
    f["dev_best"] = rounded(loop.dev_best.front().value);
    f["dev_last"] = rounded(loop.dev_last.front().value);
    f["kept"] = keep;
  }
  if (loop.stopped_early != 0) f["stopped_early"] = std::to_string(loop.stopped_early);
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  f["peak_rss_bytes"] = std::to_string(static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
}

/// Empty after an interrupt.
Predictions measure(Network& network, const Dataset& dataset, const char* split, const TaskData& data, long step, std::vector<StagedMetric>& metrics) {
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

}  // namespace

int run_training(const TrainOptions& o, std::unique_ptr<RunFolder> folder) {
  const MethodRow& method = find_method(o.method);
  if (o.resume) require_method(o, *folder);
  const Settings settings(method.hyperparameters, method.presets, o.settings);
  const std::vector<PhaseName> phases = method.phases(settings);
  MethodOptions options = method_options(o, method, settings);
  if (o.patience > 0 && o.data.dev.empty()) throw Error(ErrorCode::invalid_argument, "--patience: needs --dev");
  if (o.save_every > 0 && !folder && !o.dry_run) folder = new_run_folder(o);
  const auto model = open_model(o.model, o.repository);
  set_training_threads(o.threads ? o.threads : available_threads());

  const std::string config_json = load_config(*model);
  ModelConfig config = ModelConfig::parse(config_json, model->description());
  if (!o.pooling.empty()) config.pooling = parse_pooling(o.pooling);
  const TaskData data = load_task_data(*model, config_json, config, o.data);
  Network network(model->tensors(), match_parameters(model->tensors(), config, data.outputs(), model->description(), data.same_task,
                                                     adds_missing_biases(settings) ? MissingBiases::add : MissingBiases::refuse),
                  {data.task, o.seed, parse_device(o.device), parse_precision(o.precision), o.accumulate, o.checkpoint_activations});
  select_trainable(network, method, settings);
  const long steps = total_steps(o, data.train.examples.size());
  const MemoryNeed need = memory_need(network, method, data, o, steps);
  if (o.dry_run) {
    (void)method.start(network, options, settings);  // refuses what a run would
    print_plan(network, method, options, data, steps, need);
  }
  if (!o.ignore_memory) require_memory(need, memory_room());
  if (o.dry_run) return 0;

  Progress progress(steps, o.quiet);
  if (o.precision == "bf16" && o.device == "cpu" && !cpu_has_bf16()) {
    progress.note("note: this processor has no bf16 instructions (AVX512-BF16, AMX): --precision bf16 saves memory here, not time");
  }
  options.warn = [&](const std::string& line) { progress.warn("warning: " + line); };
  give_examples(options, data, [&](const std::string& line) { progress.note(line); });
  const std::uint64_t trainable = network.table().trainable_elements();
  const auto added = std::count_if(network.parameters().begin(), network.parameters().end(), [](const Parameter& p) { return !p.source && !p.is_head; });
  if (added > 0) progress.note("note: the base lacks " + std::to_string(added) + " biases; they begin as zeros and are stored with the task");
  note_odd_texts(progress, data);
  const long epoch = static_cast<long>((data.train.examples.size() + o.batch - 1) / o.batch);
  const long eval_every = o.eval_every > 0 ? o.eval_every : epoch;
  Facts facts = run_facts(o, method, options, settings, data, config.pooling, steps, eval_every);
  LoopOptions how{o.seed, o.batch, steps, eval_every, o.patience, o.min_delta, o.keep == "last", o.buckets};
  RunRecord record = new_record(o, method, options, settings, data, config.pooling, eval_every);
  if (model->commit()) record.base = model->commit()->hex();
  record.data = digests(data);
  if (!o.expected_data.empty()) require_data(o.expected_data, record.data, "--reproduce");
  if (folder) {
    const auto from = settle_run(o, *folder, record);
    how.saving.emplace(Saving{*folder, record.id(), o.save_every, from});
  }
  facts["config"] = config_line(recorded_part(record.config));
  if (!record.changes.empty()) facts["changed_on_the_way"] = record.changes;
  how.rate = [&options](long step, long of) {
    return options.lr * schedule_factor(options.schedule, step, std::lround(options.warmup * static_cast<double>(of)), of);
  };
  TrainingLog log(join_path(folder ? folder->path() : o.out, "train.jsonl"), o.log);
  if (folder) log.keep();
  how.log = &log;
  std::optional<EventFile> events;
  if (!o.tensorboard.empty()) how.events = &events.emplace(o.tensorboard, how.saving ? how.saving->from.value_or(0) : 0);
  if (added > 0) facts["added_biases"] = std::to_string(added);
  const auto training = method.start(network, options, settings);
  progress.note(start_text(network, method, options, need));
  const InterruptGuard guard;
  LoopResult loop = run_loop(network, *training, phases, data, how, progress);
  if (loop.interrupted) return say_interrupted(loop, steps, folder.get());

  std::vector<StagedMetric> metrics;
  Predictions on_test;
  if (data.test) on_test = measure(network, *data.test, "test", data, loop.steps_done, metrics);
  if (interrupted()) return say_interrupted(loop, steps, folder.get());
  for (const MetricValue& metric : o.keep == "last" ? loop.dev_last : loop.dev_best) metrics.push_back({"dev", metric, data.dev->examples.size(), data.dev->sha256.hex()});
  if (o.train_sample > 0) measure(network, sample_of(data.train, o.train_sample), "train", data, loop.steps_done, metrics);
  if (interrupted()) return say_interrupted(loop, steps, folder.get());
  const ChangedCounts counts = write_tensors(network, model->tensors(), join_path(o.out, "tensors.safetensors"));
  if (!counts.finite) fail_not_finite("a trained value", loop.steps_done);
  if (data.test) write_outcomes(on_test, *data.test, join_path(o.out, "outcomes.tsv"));
  add_outcome(facts, loop, *training, counts, trainable, o.keep);
  make_directories(posix_filesystem(), join_path(o.out, "files"));
  write_text(join_path(o.out, "files/config.json"), task_config(config_json, *network.table().family, data, config.pooling));
  write_text(join_path(o.out, "stage.json"), stage_json(network.table().base_prefix, model->commit(), facts, metrics));
  if (folder) {
    write_text(join_path(o.out, "train.jsonl"), log.text());
    write_text(join_path(o.out, "saved-run"), "");  // for dstore: once this is staged, the saved run is not needed
  }
  log.keep();

  if (!o.quiet && !o.json) {
    std::cout << method.name << ": " << facts["selected"] << " weights selected, " << facts["changed"] << " changed";
    if (!metrics.empty()) std::cout << ", " << metrics.front().split << " " << metrics.front().metric.name << " " << shortest_decimal(std::round(metrics.front().metric.value * 1e4) / 1e4);
    std::cout << ", " << facts["seconds_per_step"] << " s/step\n";
  }
  return 0;
}

}  // namespace dstore
