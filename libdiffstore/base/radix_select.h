#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dstore {

/// Finds the k largest of any number of unsigned keys without keeping them: until done(), the caller reads all keys once
/// more, counts those that wants() takes by their digit(), and gives the counts to narrow(). 16 bits a pass, from the top.
/// The key 0 stands for "no entry" and is never selected.
class RadixSelect {
 public:
  static constexpr unsigned kDigitBits = 16;
  static constexpr std::size_t kBins = std::size_t{1} << kDigitBits;
  using Counts = std::vector<std::uint64_t>;  ///< kBins of them

  /// `key_bits` is 16, 32, 48 or 64.
  RadixSelect(unsigned key_bits, std::uint64_t k);

  bool done() const { return done_; }
  bool wants(std::uint64_t key) const { return key != 0 && key >> shift_ >> kDigitBits == prefix_; }
  std::size_t digit(std::uint64_t key) const { return key >> shift_ & (kBins - 1); }
  void narrow(const Counts& counts);

  // Once done. Selected are all keys above the threshold, and in the caller's order the first ties() of those equal to it:
  // exactly k keys, or all where fewer are not 0.
  std::uint64_t threshold() const { return threshold_; }
  std::uint64_t ties() const { return ties_; }
  /// Whether some of the keys equal to the threshold are left out.
  bool splits_ties() const { return splits_ties_; }

 private:
  void finish(std::uint64_t threshold, std::uint64_t ties);

  unsigned shift_;
  std::uint64_t left_;         ///< to select among the keys that start with prefix_
  std::uint64_t prefix_ = 0;   ///< the digits found so far
  std::uint64_t threshold_ = 0;
  std::uint64_t ties_ = 0;
  bool splits_ties_ = false;
  bool done_ = false;
};

}  // namespace dstore
