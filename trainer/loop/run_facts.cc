#include "trainer/loop/run_facts.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "base/decimal.h"
#include "base/filesystem.h"
#include "trainer/optim/threads.h"

namespace dstore {
namespace {

std::string truncated_texts(const TaskData& data) {
  std::string text = "train=" + std::to_string(data.train.truncated);
  if (data.dev) text += " dev=" + std::to_string(data.dev->truncated);
  if (data.test) text += " test=" + std::to_string(data.test->truncated);
  return text;
}

}  // namespace

std::string digests(const TaskData& data) {
  std::string text = "train=" + data.train.sha256.hex();
  if (data.dev) text += " dev=" + data.dev->sha256.hex();
  if (data.test) text += " test=" + data.test->sha256.hex();
  return text;
}

Facts run_facts(const TrainOptions& o, const MethodRow& method, const MethodOptions& m, const Settings& settings, const TaskData& data,
                Pooling pooling, long steps, long eval_every) {
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

void add_outcome(Facts& f, const LoopResult& loop, const Training& training, const ChangedCounts& counts, std::uint64_t trainable,
                 const std::string& keep) {
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

}  // namespace dstore
