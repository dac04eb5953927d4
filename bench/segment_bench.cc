// Size and speed of segments on synthetic fine-tunes (weights N(0, 0.05), changes N(0, 3e-4)), one core, beside memcpy
// of the same bytes and a COO file (8-byte index + value); MB of tensor per second of CPU time.
// Usage: segment_bench [MiB of each tensor, default 64]
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <random>

#include "delta/bits.h"
#include "delta/segment.h"
#include "delta/stats.h"

using namespace dstore;

namespace {

struct Case {
  const char* name;
  DType dtype;
  double density;
  Profile profile = Profile::compact;
};
constexpr Case kCases[] = {
    {"f32 0.1 %", DType::f32, 0.001},   {"f32 0.5 %", DType::f32, 0.005}, {"f32 5 %", DType::f32, 0.05},
    {"f32 all", DType::f32, 1.0},       {"bf16 0.1 %", DType::bf16, 0.001}, {"bf16 0.5 %", DType::bf16, 0.005},
    {"bf16 5 %", DType::bf16, 0.05},    {"bf16 all", DType::bf16, 1.0},   {"f16 0.5 %", DType::f16, 0.005},
    {"f16 all", DType::f16, 1.0},
    {"f32 0.5 % fast", DType::f32, 0.005, Profile::fast}, {"f32 all fast", DType::f32, 1.0, Profile::fast},
    {"bf16 all fast", DType::bf16, 1.0, Profile::fast},
};

void store_value(DType dtype, std::byte* at, float value) {
  if (dtype == DType::f32) return store_le(at, std::bit_cast<std::uint32_t>(value));
  store_le(at, dtype == DType::bf16 ? bf16_from_float(value) : f16_from_float(value));
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// Best of three, in seconds of CPU time (the machine may be busy with other things).
double seconds(const std::function<void()>& prepare, const std::function<void()>& body) {
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    prepare();
    const double start = cpu_seconds();
    body();
    best = std::min(best, cpu_seconds() - start);
  }
  return best;
}

void run(const Case& row, std::size_t bytes) {
  const unsigned unit = unit_type(row.dtype).bytes;
  std::mt19937_64 random(1);
  std::normal_distribution<float> gaussian;
  std::uniform_real_distribution<double> uniform;
  Bytes base(bytes);
  Bytes task(bytes);
  for (std::size_t at = 0; at < bytes; at += unit) {
    const float value = 0.05f * gaussian(random);
    store_value(row.dtype, &base[at], value);
    store_value(row.dtype, &task[at], uniform(random) < row.density ? value + 3e-4f * gaussian(random) : value);
  }
  const double changed = static_cast<double>(count_changed(row.dtype, base, task));

  std::vector<Bytes> segments;
  const double encode = seconds([&] { segments.clear(); }, [&] {
    for (std::size_t at = 0; at < bytes; at += kPieceBytes) {
      const std::size_t size = std::min<std::size_t>(kPieceBytes, bytes - at);
      SegmentWriter writer;
      const ByteSpan old_values = ByteSpan(base).subspan(at, size);
      writer.add(encode_piece(row.dtype, at / unit, old_values, ByteSpan(task).subspan(at, size), row.profile));
      segments.push_back(writer.finish());
    }
  });
  std::size_t encoded = 0;
  for (const Bytes& segment : segments) encoded += segment.size();

  Bytes out(bytes);
  const double copy = seconds([] {}, [&] { std::memcpy(out.data(), base.data(), bytes); });
  const double apply = seconds([&] { out = base; }, [&] {
    for (const Bytes& segment : segments) SegmentReader(segment, "bench").apply(0, 0, out);
  });
  if (out != task) std::printf("NOT EXACT: ");
  const double mb = static_cast<double>(bytes) / 1e6;
  const double size = static_cast<double>(encoded);
  const double raw = static_cast<double>(bytes);
  std::printf("%-15s %9.0f %9.2f %8.2f %8.1fx %8.1fx %9.0f %9.0f %9.0f\n", row.name, changed, 8 * size / changed,
              8 * size * unit / raw, raw / size, changed * (8 + unit) / size, mb / encode, mb / apply, mb / copy);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t bytes = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 64) << 20;
  std::printf("%-15s %9s %9s %8s %9s %9s %9s %9s %9s\n", "case", "changed", "bit/chg", "bit/elt", "vs raw",
              "vs COO", "enc MB/s", "apply", "memcpy");
  for (const Case& row : kCases) run(row, bytes);
}
