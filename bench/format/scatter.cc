#include <cstring>
#include <fstream>
#include <random>

#include "checkpoint_pair.h"
#include "commands.h"
#include "dstore/error.h"
#include "measure.h"

namespace dstore::bench {
namespace {

template <class T>
void write_file(const std::string& path, const std::vector<T>& values) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(values.data()),
                                              static_cast<std::streamsize>(values.size() * sizeof(T)));
}

template <class T>
ByteSpan bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace

Json run_scatter(const Arguments& arguments) {
  const std::size_t weights = std::stoull(arguments[0]);
  const double density = std::stod(arguments[1]) / 1000;
  std::mt19937_64 random(1);
  std::normal_distribution<float> gaussian;
  std::geometric_distribution<std::size_t> gap(density);
  std::vector<float> base(weights);
  for (float& weight : base) weight = 0.05f * gaussian(random);
  std::vector<std::int32_t> positions;
  std::vector<float> old_values, new_values;
  std::vector<float> buffer = base;
  for (std::size_t at = gap(random); at < weights; at += 1 + gap(random)) {
    positions.push_back(static_cast<std::int32_t>(at));
    old_values.push_back(base[at]);
    new_values.push_back(base[at] + 3e-4f * gaussian(random));
    buffer[at] = new_values.back();
  }
  const std::vector<float> task = buffer;
  const std::vector<TensorPair> tensors{{"weights", DType::f32, bytes_of(base), bytes_of(task), 0}};
  Json result;
  std::vector<std::pair<std::string, EncodedDelta>> deltas;
  for (const ProfileName& row : profiles()) {
    deltas.emplace_back("apply " + std::string(row.name), encode(tensors, row.profile));
    result.set("bytes " + std::string(row.name), Json(static_cast<std::int64_t>(deltas.back().second.segment_bytes())));
  }

  const auto scatter = [&](const std::vector<float>& values) {
    for (std::size_t i = 0; i < positions.size(); ++i) buffer[static_cast<std::size_t>(positions[i])] = values[i];
  };
  std::vector<std::byte> eviction(64u << 20);
  const auto evict = [&] { std::memset(eviction.data(), static_cast<int>(random() & 0xff), eviction.size()); };
  Rounds rounds;
  for (int round = 0; round < std::stoi(arguments[2]); ++round) {
    scatter(old_values);
    evict();
    rounds.time("scatter", [&] { scatter(new_values); });
    for (const auto& [name, delta] : deltas) {
      scatter(old_values);
      evict();
      rounds.time(name, [&] { apply(delta, tensors, std::as_writable_bytes(std::span(buffer)), 1); });
      if (std::memcmp(buffer.data(), task.data(), weights * sizeof(float)) != 0) {
        throw Error(ErrorCode::corrupt, "the applied delta is not exact");
      }
    }
  }
  write_file(arguments[3] + ".positions", positions);
  write_file(arguments[3] + ".values", new_values);
  result.set("changed", Json(static_cast<std::int64_t>(positions.size())));
  rounds.into(result);
  return result;
}

}  // namespace dstore::bench
