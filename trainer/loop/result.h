#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trainer/loop/evaluate.h"
#include "trainer/loop/task_data.h"
#include "trainer/model/network.h"
#include "trainer/text/metrics.h"

namespace dstore {

/// A metric as the commit keeps it.
struct StagedMetric {
  std::string split;
  MetricValue metric;
  std::size_t n = 0;
  std::string data_sha256;
};

/// How many entries of the base's tensors (without the head) differ now.
struct ChangedCounts {
  std::uint64_t nonzero = 0;  ///< in fp32
  std::uint64_t changed = 0;  ///< in the base's dtype, after rounding
  bool finite = true;         ///< whether every value that differs is, in that dtype
};

/// Writes tensors.safetensors: the base's tensors whose bytes changed, under its names and dtypes, and the new ones as F32.
/// Nothing where a value is not finite.
ChangedCounts write_tensors(Network& network, const TensorSource& base, const std::string& path);
/// The base's config.json as that of the task: architecture, labels, problem type, pooling.
std::string task_config(const std::string& base_config, const ModelFamily& family, const TaskData& data, Pooling pooling);
/// stage.json of version 1. `trained_from`: the commit whose weights the base's are, if any.
std::string stage_json(const std::string& base_prefix, const std::optional<ObjectId>& trained_from,
                       const std::map<std::string, std::string>& facts, const std::vector<StagedMetric>& metrics);
void write_text(const std::string& path, const std::string& text);
/// What was said of each example: a TSV of truth and prediction, of classes their numbers.
void write_outcomes(const Predictions& predictions, const Dataset& dataset, const std::string& path);

}  // namespace dstore
