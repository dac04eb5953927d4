#include "merge/trim.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include "base/bytes.h"
#include "base/philox.h"
#include "base/sha256.h"
#include "merge/number_loops.h"

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
  RadixSelect::Counts().swap(counts_);  // = {} would keep the memory
}

namespace {

/// A key that orders by magnitude, zeros 0: its bits, as fp32 but for F64; of BF16 only those that it has.
class Magnitude {
 public:
  explicit Magnitude(DType dtype) : bits_(dtype == DType::f64 ? 64 : dtype == DType::bf16 ? 16 : 32) {}
  unsigned bits() const { return bits_; }
  std::uint64_t operator()(double value) const {
    if (bits_ == 64) return std::bit_cast<std::uint64_t>(value) & UINT64_MAX >> 1;
    return (*this)(static_cast<float>(value));
  }
  std::uint64_t operator()(float value) const { return (std::bit_cast<std::uint32_t>(value) & UINT32_MAX >> 1) >> drop(); }
  /// The least magnitude with that key, as bits; above all of them where there is none.
  std::uint64_t bits_of(std::uint64_t key) const { return key > UINT64_MAX >> 1 >> drop() ? std::uint64_t{1} << 63 : key << drop(); }

 private:
  unsigned drop() const { return bits_ == 16 ? 16 : 0; }
  unsigned bits_;
};

std::uint64_t share_of(double density, std::uint64_t elements) {
  return static_cast<std::uint64_t>(std::floor(density * static_cast<double>(elements)));
}

/// A Trim by templates over float and double.
template <class Rule>
class TrimBy : public Trim {
 public:
  void look(const ElementList& elements, std::span<const double> differences) final { rule().look_at(elements, differences); }
  void look(const ElementList& elements, std::span<const float> differences) final { rule().look_at(elements, differences); }
  void apply(const ElementList& elements, std::span<double> differences) const final { rule().keep(elements, differences); }
  void apply(const ElementList& elements, std::span<float> differences) const final { rule().keep(elements, differences); }

  bool only_changes() const override { return true; }
  template <class Value>
  void look_at(const ElementList&, std::span<const Value>) {}

 private:
  Rule& rule() { return static_cast<Rule&>(*this); }
  const Rule& rule() const { return static_cast<const Rule&>(*this); }
};

class KeepAll : public TrimBy<KeepAll> {
 public:
  template <class Value>
  void keep(const ElementList&, std::span<Value>) const {}
};

/// Ranks [skip, skip + keep) of the magnitudes, from the largest.
class Band : public TrimBy<Band> {
 public:
  Band(DType dtype, std::uint64_t skip, std::uint64_t keep) : dtype_(dtype), key_(dtype), top_(key_.bits(), skip), kept_(key_.bits(), skip + keep) {}

  bool wants_pass() const override { return top_.wants_pass() || kept_.wants_pass(); }
  template <class Value>
  void look_at(const ElementList& elements, std::span<const Value> differences) {
    for (TopSelection* selection : {&top_, &kept_}) {
      if (!selection->wants_pass()) continue;
      if (selection->wants_ties()) {
        const std::uint64_t threshold = selection->threshold();
        std::size_t ties = 0;
        for (const Value value : differences) ties += key_(value) == threshold;
        if (selection->skip_ties(ties)) continue;
        for (std::size_t j = 0; j < differences.size(); ++j) {
          if (key_(differences[j]) == threshold) selection->look(elements[j], threshold);
        }
      } else {
        selection->count(differences.size(), [&](std::size_t j) { return key_(differences[j]); });
      }
    }
  }
  void end_pass() override {
    if (top_.wants_pass()) top_.end_pass();
    if (kept_.wants_pass()) kept_.end_pass();
  }
  template <class Value>
  void keep(const ElementList& elements, std::span<Value> differences) const {
    if constexpr (std::is_same_v<Value, double>) {
      if (key_.bits() < 64) {  // floats held as doubles
        std::vector<float> values(differences.begin(), differences.end());
        keep(elements, std::span<float>(values));
        std::copy(values.begin(), values.end(), differences.begin());
        return;
      }
    }
    // The bounds change after the last of the ties that are kept, of either selection.
    std::size_t at = 0;
    while (at < differences.size()) {
      std::size_t end = differences.size();
      for (const TopSelection* selection : {&top_, &kept_}) {
        if (elements[at] <= selection->last_tie()) end = std::min(end, up_to(elements, differences.size(), selection->last_tie()));
      }
      constexpr std::uint64_t kMost = sizeof(Value) == 8 ? INT64_MAX : INT32_MAX;
      const std::uint64_t least = bound(kept_, elements[at]), most = std::min(bound(top_, elements[at]) - 1, kMost);
      if (least > most) std::fill(differences.begin() + static_cast<std::ptrdiff_t>(at), differences.begin() + static_cast<std::ptrdiff_t>(end), Value{0});
      else number_loops<Value>(dtype_).keep_band(differences.data() + at, least, most, end - at);
      at = end;
    }
  }

 private:
  /// How many of the elements are at most `last`.
  static std::size_t up_to(const ElementList& elements, std::size_t count, std::uint64_t last) {
    if (elements[count - 1] <= last) return count;
    if (elements.positions.empty()) return static_cast<std::size_t>(last + 1 - elements.first);
    return static_cast<std::size_t>(std::upper_bound(elements.positions.begin(), elements.positions.end(), last) - elements.positions.begin());
  }
  /// The least magnitude that the selection has at that element; never 0.
  std::uint64_t bound(const TopSelection& selection, std::uint64_t element) const {
    return key_.bits_of(std::max<std::uint64_t>(1, element <= selection.last_tie() ? selection.least_key() : selection.after_last_tie()));
  }

  DType dtype_;
  Magnitude key_;
  TopSelection top_, kept_;
};

class Above : public TrimBy<Above> {
 public:
  Above(unsigned key_bits, std::uint64_t threshold) : bits_(key_bits), threshold_(threshold) {}
  template <class Value>
  void keep(const ElementList&, std::span<Value> differences) const {
    for (Value& value : differences) value = magnitude_key(value, bits_) < threshold_ ? Value{0} : value;
  }

 private:
  unsigned bits_;
  std::uint64_t threshold_;
};

class RandomTrim : public TrimBy<RandomTrim> {
 public:
  RandomTrim(const MergedTensor& tensor, double density, std::uint64_t seed, std::size_t model)
      : dtype_(tensor.dtype), density_(static_cast<float>(density)), key_(trim_key(tensor.name, seed, model)) {}
  template <class Value>
  void keep(const ElementList& elements, std::span<Value> differences) const {
    std::size_t begin = 0;
    if (elements.positions.empty()) {
      while (begin < differences.size() && elements[begin] % 4 != 0) ++begin;
      number_loops<Value>(dtype_).drop(differences.data() + begin, elements[begin], key_, density_, differences.size() - begin);
    } else {
      begin = differences.size();
    }
    for (std::size_t j = 0; j < begin; ++j) {
      if (trim_draw(key_, elements[j]) >= density_) differences[j] = 0;
    }
  }

 private:
  DType dtype_;
  float density_;
  PhiloxKey key_;
};

}  // namespace

void Trim::look(const ElementList& elements, std::span<const float> differences) {
  look(elements, std::span<const double>(std::vector<double>(differences.begin(), differences.end())));
}

void Trim::apply(const ElementList& elements, std::span<float> differences) const {
  std::vector<double> values(differences.begin(), differences.end());
  apply(elements, std::span<double>(values));
  std::transform(values.begin(), values.end(), differences.begin(), [](double value) { return static_cast<float>(value); });
}

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

std::unique_ptr<Trim> Trim::largest(const MergedTensor& tensor, double density, std::size_t model) {
  if (density >= 1) return keep_all();
  const std::uint64_t keep = density <= 0 ? 0 : std::max<std::uint64_t>(1, share_of(density, tensor.elements));
  if (!tensor.changed.empty() && tensor.changed[model] <= keep) return keep_all();
  return std::make_unique<Band>(tensor.dtype, 0, keep);
}

std::unique_ptr<Trim> Trim::without_outliers(const MergedTensor& tensor, double density, double gamma) {
  if (density >= 1) return keep_all();
  const std::uint64_t keep = share_of(density, tensor.elements);
  return std::make_unique<Band>(tensor.dtype, std::min(share_of(gamma, tensor.elements), tensor.elements - keep), keep);
}

std::unique_ptr<Trim> Trim::above(unsigned key_bits, std::uint64_t threshold) { return std::make_unique<Above>(key_bits, threshold); }

std::unique_ptr<Trim> Trim::random(const MergedTensor& tensor, double density, std::uint64_t seed, std::size_t model) {
  if (density >= 1) return keep_all();
  return std::make_unique<RandomTrim>(tensor, density, seed, model);
}

}  // namespace dstore
