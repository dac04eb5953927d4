#include "merge/trim.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/bytes.h"
#include "base/philox.h"
#include "base/sha256.h"

namespace dstore {

void TopSelection::look(std::uint64_t index, std::uint64_t key) {
  if (!select_.done()) {
    if (counts_.empty()) counts_.resize(RadixSelect::kBins);
    if (select_.wants(key)) ++counts_[select_.digit(key)];
  } else if (key == select_.threshold() && ++ties_seen_ == select_.ties()) {
    last_tie_ = index;
  }
}

void TopSelection::end_pass() {
  if (select_.done()) {
    wants_last_tie_ = false;
    return;
  }
  counts_.resize(RadixSelect::kBins);  // of a tensor without elements
  select_.narrow(counts_);
  wants_last_tie_ = select_.done() && select_.splits_ties();
  counts_ = {};
}

namespace {

/// A key that orders by magnitude, zeros 0. Elements of up to 32 bits are compared as fp32, which holds them all.
class Magnitude {
 public:
  explicit Magnitude(DType dtype) : wide_(dtype == DType::f64) {}
  unsigned bits() const { return wide_ ? 64 : 32; }
  std::uint64_t operator()(double value) const {
    return wide_ ? std::bit_cast<std::uint64_t>(std::fabs(value)) : std::bit_cast<std::uint32_t>(static_cast<float>(std::fabs(value)));
  }

 private:
  bool wide_;
};

std::uint64_t share_of(double density, std::uint64_t elements) {
  return static_cast<std::uint64_t>(std::floor(density * static_cast<double>(elements)));
}

class KeepAll : public Trim {
 public:
  void apply(std::uint64_t, std::span<double>) const override {}
};

/// Ranks [skip, skip + keep) of the magnitudes, from the largest.
class Band : public Trim {
 public:
  Band(DType dtype, std::uint64_t skip, std::uint64_t keep) : key_(dtype), top_(key_.bits(), skip), kept_(key_.bits(), skip + keep) {}

  bool wants_pass() const override { return top_.wants_pass() || kept_.wants_pass(); }
  void look(std::uint64_t first, std::span<const double> differences) override {
    const bool top = top_.wants_pass(), kept = kept_.wants_pass();
    for (std::size_t i = 0; i < differences.size(); ++i) {
      const std::uint64_t key = key_(differences[i]);
      if (top) top_.look(first + i, key);
      if (kept) kept_.look(first + i, key);
    }
  }
  void end_pass() override {
    if (top_.wants_pass()) top_.end_pass();
    if (kept_.wants_pass()) kept_.end_pass();
  }
  void apply(std::uint64_t first, std::span<double> differences) const override {
    for (std::size_t i = 0; i < differences.size(); ++i) {
      const std::uint64_t key = key_(differences[i]);
      if (!kept_.has(first + i, key) || top_.has(first + i, key)) differences[i] = 0;
    }
  }

 private:
  Magnitude key_;
  TopSelection top_, kept_;
};

class RandomTrim : public Trim {
 public:
  RandomTrim(const MergedTensor& tensor, double density, std::uint64_t seed, std::size_t model) : density_(static_cast<float>(density)) {
    key_ = trim_key(tensor.name, seed, model);
  }
  void apply(std::uint64_t first, std::span<double> differences) const override {
    PhiloxBlock words{};
    for (std::size_t i = 0; i < differences.size(); ++i) {
      const std::uint64_t element = first + i, block = element / 4;
      if (i == 0 || element % 4 == 0) words = philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0}, key_);
      if (uniform_float(words[element % 4]) >= density_) differences[i] = 0;
    }
  }

 private:
  float density_;
  PhiloxKey key_{};
};

}  // namespace

PhiloxKey trim_key(std::string_view tensor, std::uint64_t seed, std::size_t model) {
  const std::string text = "dstore merge\n" + std::to_string(seed) + "\n" + std::to_string(model) + "\n" + std::string(tensor);
  const ObjectId digest = sha256(as_bytes(text));
  Reader words(digest.bytes(), "digest");
  const std::uint32_t low = words.u32();
  return {low, words.u32()};
}

float trim_draw(PhiloxKey key, std::uint64_t element) {
  const std::uint64_t block = element / 4;
  return uniform_float(philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0}, key)[element % 4]);
}

std::unique_ptr<Trim> Trim::keep_all() { return std::make_unique<KeepAll>(); }

std::unique_ptr<Trim> Trim::largest(const MergedTensor& tensor, double density) {
  if (density >= 1) return keep_all();
  const std::uint64_t keep = density <= 0 ? 0 : std::max<std::uint64_t>(1, share_of(density, tensor.elements));
  return std::make_unique<Band>(tensor.dtype, 0, keep);
}

std::unique_ptr<Trim> Trim::without_outliers(const MergedTensor& tensor, double density, double gamma) {
  if (density >= 1) return keep_all();
  const std::uint64_t keep = share_of(density, tensor.elements);
  return std::make_unique<Band>(tensor.dtype, std::min(share_of(gamma, tensor.elements), tensor.elements - keep), keep);
}

std::unique_ptr<Trim> Trim::random(const MergedTensor& tensor, double density, std::uint64_t seed, std::size_t model) {
  if (density >= 1) return keep_all();
  return std::make_unique<RandomTrim>(tensor, density, seed, model);
}

}  // namespace dstore
