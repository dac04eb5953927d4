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
  void look(std::uint64_t index, std::uint64_t key);
  void end_pass();
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
  virtual void look(std::uint64_t first, std::span<const double> differences) { (void)first, (void)differences; }
  virtual void end_pass() {}
  /// Sets to 0 what is not kept.
  virtual void apply(std::uint64_t first, std::span<double> differences) const = 0;

  static std::unique_ptr<Trim> keep_all();
  /// The max(1, floor(density * elements)) largest; none where density is 0.
  static std::unique_ptr<Trim> largest(const MergedTensor& tensor, double density);
  /// floor(density * elements) of them, below the floor(gamma * elements) largest, of which fewer are dropped where density leaves no room.
  static std::unique_ptr<Trim> without_outliers(const MergedTensor& tensor, double density, double gamma);
  /// Each with the probability `density`: Philox by seed, model, tensor name and element.
  static std::unique_ptr<Trim> random(const MergedTensor& tensor, double density, std::uint64_t seed, std::size_t model);
  /// Each with a probability from density - epsilon to density + epsilon by its rank within the row: apply() takes whole rows.
  /// Error{invalid_argument} where that leaves (0, 1).
  static std::unique_ptr<Trim> by_rank(const MergedTensor& tensor, const RankRule& rule, std::uint64_t seed, std::size_t model);
  using Make = std::function<std::unique_ptr<Trim>(const MergedTensor& tensor)>;
  /// make(tensor), told only of as many elements as the model changes.
  static std::unique_ptr<Trim> of_changed(const MergedTensor& tensor, Make make);
};

}  // namespace dstore
