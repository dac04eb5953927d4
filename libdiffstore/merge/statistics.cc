#include "merge/statistics.h"

#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "delta/element.h"
#include "delta/stats.h"
#include "dstore/error.h"

namespace dstore {

std::string model_text(std::size_t model) { return "model " + std::to_string(model + 1); }

void read_statistic(const TensorStatistic& statistic, std::uint64_t first, std::span<double> out) {
  const TensorInfo& info = statistic.source->tensors()[statistic.tensor];
  const std::size_t unit = unit_type(info.dtype).bytes;
  Bytes bytes(out.size() * unit);
  statistic.source->read(statistic.tensor, first * unit, bytes);
  read_doubles(info.dtype, bytes, out);
  if (std::all_of(out.begin(), out.end(), [](double value) { return std::isfinite(value); })) return;
  throw Error(ErrorCode::invalid_argument, "statistics: tensor " + printable(info.name) + " has numbers that are not finite; make the statistics again");
}

std::vector<double> positive_weights(const MergeSettings& settings, std::string_view method) {
  std::vector<double> weights;
  double sum = 0;
  for (std::size_t i = 0; i < settings.models(); ++i) {
    weights.push_back(settings.number("weight", i));
    sum += weights.back();
    if (weights.back() < 0) throw Error(ErrorCode::invalid_argument, "weight: method " + std::string(method) + " takes no negative weights");
  }
  if (sum == 0) throw Error(ErrorCode::invalid_argument, "weight: all are 0, and method " + std::string(method) + " divides by their sum");
  return weights;
}

}  // namespace dstore
