// Runs one target over files, without a fuzzer: each file as it is, cut short, and with single bytes changed.
//   replay PLACES FOLDER-OR-FILE...     damages at most PLACES places of a file, evenly spread
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "fuzz.h"

namespace {

using dstore::Bytes;
using dstore::ByteSpan;

constexpr unsigned kMasks[] = {0x01, 0x80, 0xff};

Bytes read_whole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return dstore::fuzz::copy(dstore::as_bytes(text));
}

/// Exactly as many bytes as given, on the heap: a read behind them is seen.
void run(ByteSpan bytes) {
  const Bytes input = dstore::fuzz::copy(bytes);
  dstore::fuzz::test_input(input);
}

std::size_t replay(const Bytes& seed, std::size_t places) {
  std::size_t runs = 1;
  run(seed);
  const std::size_t stride = 1 + seed.size() / places;
  for (std::size_t at = 0; at < seed.size(); at += stride) {
    run(ByteSpan(seed).first(at));
    Bytes changed = seed;
    for (const unsigned mask : kMasks) {
      changed[at] = seed[at] ^ static_cast<std::byte>(mask);
      run(changed);
    }
    runs += 1 + std::size(kMasks);
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  std::set<std::filesystem::path> files;
  for (int i = 2; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.insert(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.insert(entry.path());
  }
  const std::size_t places = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (files.empty() || places == 0) {
    std::cerr << "usage: replay PLACES FOLDER-OR-FILE...\n";
    return 2;
  }
  std::size_t runs = 0;
  for (const auto& file : files) {
    std::cout << file.filename().string() << std::endl;  // the last line names the file that failed
    runs += replay(read_whole(file), places);
  }
  std::cout << files.size() << " files, " << runs << " runs\n";
}
