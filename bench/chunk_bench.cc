// Size and speed of chunks stored by planes, one core, beside LZ4 and memcpy of the same bytes: all F32 tensors of a safetensors file
// and the same cast to bf16 and f16. GB of tensor per second of CPU time, best of five.
// Usage: chunk_bench FILE.safetensors
#include <lz4.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>

#include "base/filesystem.h"
#include "delta/bits.h"
#include "delta/chunk_codec.h"
#include "delta/stats.h"
#include "tensor/safetensors.h"

using namespace dstore;

namespace {

constexpr std::size_t kChunk = 4u << 20;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double seconds(const std::function<void()>& body) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const double start = cpu_seconds();
    body();
    best = std::min(best, cpu_seconds() - start);
  }
  return best;
}

/// Encodes and decodes one chunk; nothing encoded: it is stored as it is.
struct Method {
  const char* name;
  Bytes (*encode)(DType dtype, ByteSpan raw);
  void (*decode)(ByteSpan stored, MutableByteSpan raw);
};

Bytes lz4_encode(DType, ByteSpan raw) {
  Bytes out(raw.size());
  const int size = LZ4_compress_default(reinterpret_cast<const char*>(raw.data()), reinterpret_cast<char*>(out.data()),
                                        static_cast<int>(raw.size()), static_cast<int>(out.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

void lz4_decode(ByteSpan stored, MutableByteSpan raw) {
  LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(raw.data()), static_cast<int>(stored.size()),
                      static_cast<int>(raw.size()));
}

constexpr Method kMethods[] = {
    {"memcpy", [](DType, ByteSpan raw) { return Bytes(raw.begin(), raw.end()); }, nullptr},
    {"lz4", lz4_encode, lz4_decode},
    {"planes", [](DType dtype, ByteSpan raw) { return encode_chunk(chunk_layout(dtype), raw); },
     [](ByteSpan stored, MutableByteSpan raw) { decode_chunk(stored, raw, "chunk"); }},
};

void run(const char* name, DType dtype, const Bytes& tensor) {
  const auto giga = static_cast<double>(tensor.size()) / 1e9;
  for (const Method& method : kMethods) {
    std::vector<Bytes> chunks;
    const double encode = seconds([&] {
      chunks.clear();
      for (std::size_t at = 0; at < tensor.size(); at += kChunk) {
        chunks.push_back(method.encode(dtype, ByteSpan(tensor).subspan(at, std::min(kChunk, tensor.size() - at))));
      }
    });
    Bytes back(tensor.size());
    double stored = 0;
    const double decode = seconds([&] {
      stored = 0;
      for (std::size_t i = 0; i < chunks.size(); ++i) {
        const MutableByteSpan to = MutableByteSpan(back).subspan(i * kChunk, std::min(kChunk, back.size() - i * kChunk));
        stored += static_cast<double>(chunks[i].empty() ? to.size() : chunks[i].size());
        if (chunks[i].empty() || method.decode == nullptr) {
          std::memcpy(to.data(), tensor.data() + i * kChunk, to.size());
        } else {
          method.decode(chunks[i], to);
        }
      }
    });
    std::printf("%-5s %-7s ratio %.4f  encode %5.2f GB/s  decode %5.2f GB/s%s\n", name, method.name, static_cast<double>(tensor.size()) / stored,
                giga / encode, giga / decode, back == tensor ? "" : "  WRONG");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: chunk_bench FILE.safetensors\n");
    return 2;
  }
  const Bytes file = read_file(posix_filesystem(), argv[1], OpenMode::read);
  const SafetensorsHeader header = parse_safetensors_header(file, file.size(), argv[1]);
  Bytes f32, bf16, f16;
  for (const SafetensorsEntry& entry : header.entries) {
    if (entry.info.dtype != DType::f32) continue;
    const std::byte* from = file.data() + header.raw.size() + entry.begin;
    f32.insert(f32.end(), from, from + entry.info.bytes);
  }
  for (std::size_t at = 0; at < f32.size(); at += 4) {
    const auto value = std::bit_cast<float>(load_le<std::uint32_t>(&f32[at]));
    std::byte cast[2];
    store_le(cast, bf16_from_float(value));
    bf16.insert(bf16.end(), cast, cast + 2);
    store_le(cast, f16_from_float(value));
    f16.insert(f16.end(), cast, cast + 2);
  }
  run("f32", DType::f32, f32);
  run("bf16", DType::bf16, bf16);
  run("f16", DType::f16, f16);
}
