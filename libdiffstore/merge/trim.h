#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/philox.h"
#include "base/radix_select.h"
#include "merge/merge_method.h"

namespace dstore {

/// The k largest of a sequence of keys, of equals the first ones; found in passes over the sequence, in order. Zeros never count.
class TopSelection {
 public:
  TopSelection(unsigned key_bits, std::uint64_t k) : select_(key_bits, k) {}

  bool wants_pass() const { return !select_.done() || wants_last_tie_; }
  /// Whether the pass only looks for the last of the keys equal to the threshold.
  bool wants_ties() const { return select_.done(); }
  std::uint64_t threshold() const { return select_.threshold(); }
  void look(std::uint64_t index, std::uint64_t key);
  /// The same for `count` keys, key(0) to key(count - 1), in a pass that does not want ties.
  template <class Key>
  void count(std::size_t count, Key key) {
    if (counts_.empty()) counts_.resize(RadixSelect::kBins);
    const RadixSelect select = select_;
    std::uint64_t* const counts = counts_.data();
    for (std::size_t j = 0; j < count; ++j) {
      const std::uint64_t value = key(j);
      counts[select.digit(value)] += select.wants(value);
    }
  }
  /// Passes over `count` keys equal to the threshold, unless the last tie is among them.
  bool skip_ties(std::uint64_t count) {
    if (ties_seen_ < select_.ties() && ties_seen_ + count >= select_.ties()) return false;
    ties_seen_ += count;
    return true;
  }
  void end_pass();
  /// The least key that is selected of elements up to last_tie(), and of those after it.
  std::uint64_t least_key() const { return select_.ties() == 0 ? after_last_tie() : select_.threshold(); }
  std::uint64_t after_last_tie() const { return select_.threshold() == UINT64_MAX ? UINT64_MAX : select_.threshold() + 1; }
  std::uint64_t last_tie() const { return last_tie_; }
  bool has(std::uint64_t index, std::uint64_t key) const {
    return key > select_.threshold() || (key == select_.threshold() && key != 0 && index <= last_tie_ && select_.ties() != 0);
  }

 private:
  RadixSelect select_;
  RadixSelect::Counts counts_;  ///< only during a pass
  bool wants_last_tie_ = false;
  std::uint64_t ties_seen_ = 0;
  std::uint64_t last_tie_ = UINT64_MAX;
};

/// Orders by magnitude, zeros 0; as fp32 where `bits` is 32, as fp64 where it is 64.
inline std::uint64_t magnitude_key(double value, unsigned bits) {
  return bits == 64 ? std::bit_cast<std::uint64_t>(value) & UINT64_MAX >> 1 : std::bit_cast<std::uint32_t>(static_cast<float>(value)) & UINT32_MAX >> 1;
}

/// The numbers of random trims: one for each element, by seed, model and tensor name (spec/merging.md, "Trimming").
PhiloxKey trim_key(std::string_view tensor, std::uint64_t seed, std::size_t model);
float trim_draw(PhiloxKey key, std::uint64_t element);

struct RankRule {
  double density = 1, epsilon = 0;
  bool inverse = false;  ///< what is kept is divided by its probability
};

/// Which of a model's differences from the base are kept (spec/merging.md, "Trimming").
class Trim {
 public:
  virtual ~Trim() = default;
  virtual bool wants_pass() const { return false; }
  virtual void look(const ElementList& elements, std::span<const double> differences) { (void)elements, (void)differences; }
  virtual void end_pass() {}
  /// Sets to 0 what is not kept.
  virtual void apply(const ElementList& elements, std::span<double> differences) const = 0;

  /// The same in float, for dtypes whose values are floats; as doubles where a trim does not say how.
  virtual void look(const ElementList& elements, std::span<const float> differences);
  virtual void apply(const ElementList& elements, std::span<float> differences) const;
  /// Whether differences of 0 may be left out, as TensorMerge::only_changes().
  virtual bool only_changes() const { return false; }

  static std::unique_ptr<Trim> keep_all();
  /// The max(1, floor(density * elements)) largest; none where density is 0. `model` tells whose changes are counted in `tensor`.
  static std::unique_ptr<Trim> largest(const MergedTensor& tensor, double density, std::size_t model = 0);
  /// floor(density * elements) of them, below the floor(gamma * elements) largest, of which fewer are dropped where density leaves no room.
  static std::unique_ptr<Trim> without_outliers(const MergedTensor& tensor, double density, double gamma);
  /// Each with the probability `density`: Philox by seed, model, tensor name and element.
  static std::unique_ptr<Trim> random(const MergedTensor& tensor, double density, std::uint64_t seed, std::size_t model);
  /// Each with a probability from density - epsilon to density + epsilon by its rank within the row: apply() takes whole rows.
  /// Error{invalid_argument} where that leaves (0, 1).
  static std::unique_ptr<Trim> by_rank(const MergedTensor& tensor, const RankRule& rule, std::uint64_t seed, std::size_t model);
  /// Those whose magnitude_key() is not below the threshold.
  static std::unique_ptr<Trim> above(unsigned key_bits, std::uint64_t threshold);
  using Make = std::function<std::unique_ptr<Trim>(const MergedTensor& tensor)>;
  /// make(tensor), told only of as many elements as the model changes.
  static std::unique_ptr<Trim> of_changed(const MergedTensor& tensor, Make make);
};

}  // namespace dstore
