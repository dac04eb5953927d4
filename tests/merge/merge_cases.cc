#include "merge_cases.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "delta/stats.h"

namespace dstore::testing {

Models make_models(DType dtype, std::uint64_t elements, std::size_t count, double density, Change change, std::uint64_t seed) {
  Models out{dtype, make_pair(dtype, elements, 0, change, seed).base, {}, {}, {}};
  const std::size_t unit = unit_type(dtype).bytes;
  Random random(seed + 1);
  std::vector<bool> shared(elements);
  for (std::uint64_t j = 0; j < elements; ++j) shared[j] = random.uniform() < density / 2;
  for (std::size_t i = 0; i < count; ++i) {
    out.tasks.push_back(out.base);
    const Bytes other = make_pair(dtype, elements, 1, change, seed + 10 + i).task;
    for (std::uint64_t j = 0; j < elements; ++j) {
      if (!shared[j] && random.uniform() >= density / 2) continue;
      if (random.below(4) == 0) {
        out.tasks[i][(j + 1) * unit - 1] ^= std::byte{0x80};
      } else {
        std::copy_n(&other[j * unit], unit, &out.tasks[i][j * unit]);
      }
    }
    const EncodedPiece piece = encode_piece(dtype, 0, out.base, out.tasks[i]);
    SegmentWriter writer;
    if (!piece.bytes.empty()) writer.add(piece);
    out.segments.push_back(piece.bytes.empty() ? Bytes() : writer.finish());
  }
  for (const Bytes& segment : out.segments) out.readers.push_back(segment.empty() ? nullptr : std::make_unique<SegmentReader>(segment, "test"));
  return out;
}

OneTensor::OneTensor(std::vector<std::uint64_t> shape, const std::vector<double>& values) : bits_(8 * values.size()) {
  write_doubles(DType::f64, values, bits_);
  infos_.push_back({"t", DType::f64, std::move(shape), bits_.size()});
}

std::vector<OneTensor> make_statistics(const MergeMethod& method, std::size_t models, std::size_t elements) {
  std::mt19937 random(9);
  std::normal_distribution<double> gaussian;
  std::vector<OneTensor> out;
  for (std::size_t m = 0; m < models && !method.statistics.empty(); ++m) {
    std::vector<double> values(method.statistics == "gram" ? 625 : elements);
    for (double& value : values) value = std::fabs(gaussian(random));
    if (method.statistics == "gram") {
      std::vector<double> inputs(25 * 30), gram(625);
      for (double& value : inputs) value = gaussian(random);
      for (std::size_t i = 0; i < 625; ++i) {
        for (std::size_t n = 0; n < 30; ++n) gram[i] += inputs[n * 25 + i / 25] * inputs[n * 25 + i % 25];
      }
      values = gram;
      out.emplace_back(std::vector<std::uint64_t>{25, 25}, values);
    } else {
      out.emplace_back(std::vector<std::uint64_t>{elements / 25, 25}, values);
    }
  }
  return out;
}

std::vector<MergeSettings::Given> interesting_settings(const MergeMethod& method) {
  MergeSettings::Given given;
  for (const auto& [name, value] : method.parameters) {
    if (name == "density") given["density"] = {"0.4"};
    if (name == "select_topk") given["select_topk"] = {"0.5"};
  }
  std::vector<MergeSettings::Given> out{given};
  for (const auto& [name, value] : method.parameters) {
    for (const std::string_view word : find_merge_parameter(method.name, name)->choices) {
      if (word == value) continue;
      out.push_back(given);
      out.back()[std::string(name)] = {std::string(word)};
      if (name == "tie") out.back()["elect"] = {"count"};
      if (name == "trim_scope") out.back()["tie"] = {"global"};
    }
  }
  return out;
}

std::string text_of(const MergeSettings::Given& given) {
  std::string text;
  for (const auto& [name, values] : given) text += " " + name + "=" + values.front();
  return text;
}

}  // namespace dstore::testing
