#include "trainer/loop/statistics.h"

#include <cmath>
#include <cstring>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/atomic_file.h"
#include "base/bytes.h"
#include "dstore/error.h"
#include "tensor/safetensors.h"
#include "trainer/loop/evaluate.h"
#include "trainer/loop/progress.h"
#include "trainer/model/squared_gradients.h"

namespace dstore {
namespace {

/// Of each parameter; empty where it has none.
using Sums = std::vector<std::vector<double>>;

/// Calls each(batch) for the first `count` examples, `rows` at a time.
template <class Each>
void for_each_batch(const TrainedTask& task, std::size_t count, std::size_t rows, const StatisticsOptions& options, Each each) {
  Progress progress(static_cast<long>(count), options.quiet || options.json);
  for (std::size_t at = 0; at < count; at += rows) {
    std::vector<std::uint32_t> examples(std::min(rows, count - at));
    std::iota(examples.begin(), examples.end(), static_cast<std::uint32_t>(at));
    each(make_batch(task.dataset, examples, task.pad_id));
    progress.step(static_cast<long>(at + examples.size()), options.kind, 0, {});
  }
  progress.finish();
}

Sums fisher(TrainedTask& task, std::size_t count, const StatisticsOptions& options) {
  Network& network = *task.network;
  std::vector<std::size_t> all(network.parameters().size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (const std::size_t index : all) network.set_trainable(index, true);
  SquaredGradients squares(network, all);
  for_each_batch(task, count, 1, options, [&](const Batch& batch) {
    network.for_each_class(batch, [&](double probability) { squares.add(network, probability); });
  });
  Sums sums = std::move(squares.sums());
  for (std::vector<double>& sum : sums) {
    for (double& value : sum) value /= static_cast<double>(count);
  }
  return sums;
}

Sums grams(TrainedTask& task, std::size_t count, const StatisticsOptions& options) {
  Sums sums(task.network->parameters().size());
  for_each_batch(task, count, options.batch, options, [&](const Batch& batch) { task.network->add_grams(batch, sums); });
  return sums;
}

struct Kind {
  const char* name;
  Sums (*make)(TrainedTask& task, std::size_t count, const StatisticsOptions& options);
};
constexpr Kind kKinds[] = {{"fisher", fisher}, {"gram", grams}};

const Kind& find_kind(const std::string& name) {
  for (const Kind& kind : kKinds) {
    if (name == kind.name) return kind;
  }
  throw Error(ErrorCode::invalid_argument, "\"" + printable(name) + "\" is no statistic: fisher or gram");
}

/// A safetensors file of fp32, in memory.
Bytes render(const std::vector<Parameter>& parameters, const Sums& sums, const std::string& kind,
             const std::map<std::string, std::string>& metadata) {
  std::vector<TensorInfo> infos;
  std::vector<const std::vector<double>*> values;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (sums[i].empty() || !parameters[i].source) continue;
    const auto side = static_cast<std::uint64_t>(std::llround(std::sqrt(static_cast<double>(sums[i].size()))));
    infos.push_back({parameters[i].name, DType::f32, kind == "gram" ? std::vector<std::uint64_t>{side, side} : parameters[i].shape,
                     4 * sums[i].size()});
    values.push_back(&sums[i]);
  }
  const SafetensorsPlan plan = write_safetensors_header(infos, metadata);
  Bytes out = plan.header;
  for (const std::size_t index : plan.order) {
    for (const double value : *values[index]) {
      const auto narrow = static_cast<float>(value);
      if (!std::isfinite(narrow)) {
        throw Error(ErrorCode::invalid_argument, "tensor " + printable(infos[index].name) +
                    ": its statistic is not finite; the model's numbers are too large");
      }
      const std::size_t at = out.size();
      out.resize(at + sizeof narrow);
      std::memcpy(out.data() + at, &narrow, sizeof narrow);
    }
  }
  return out;
}

}  // namespace

int run_statistics(const StatisticsOptions& options) {
  const Kind& kind = find_kind(options.kind);
  TrainedTask task = load_trained_task(options.model, options.repository, options.data, options.threads, options.device);
  const std::size_t count = options.examples == 0 ? task.dataset.examples.size() : std::min(options.examples, task.dataset.examples.size());
  if (count == 0) throw Error(ErrorCode::invalid_argument, printable(options.data.data) + " has no examples");
  const Sums sums = kind.make(task, count, options);
  std::map<std::string, std::string> metadata{
      {"dstore.statistic", kind.name}, {"dstore.data_sha256", task.dataset.sha256.hex()}, {"dstore.examples", std::to_string(count)}};
  if (!options.weights.empty()) metadata["dstore.weights"] = options.weights;
  const Bytes file = render(task.network->parameters(), sums, options.kind, metadata);
  write_file_atomically(posix_filesystem(), options.output, file);
  if (options.json) {
    const nlohmann::ordered_json out{{"statistic", kind.name}, {"model", options.model}, {"weights", options.weights},
                                     {"data_sha256", task.dataset.sha256.hex()},
                                     {"examples", count}, {"output", options.output}, {"bytes", file.size()}};
    std::cout << out.dump() << '\n';
  } else if (!options.quiet) {
    std::cout << kind.name << " of " << task.model->description() << " on " << count << " examples: wrote " << printable(options.output) << '\n';
  }
  return 0;
}

}  // namespace dstore
