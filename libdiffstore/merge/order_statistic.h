#pragma once

#include <cstdint>
#include <vector>

namespace dstore {

/// The k-th largest of any number of unsigned keys, exactly, in passes over them: 16 bits a pass, from the top. Keys may be counted in
/// any order.
class OrderStatistic {
 public:
  /// `key_bits` is 32 or 64; k from 1 to the number of keys.
  OrderStatistic(unsigned key_bits, std::uint64_t k) : shift_(key_bits - 16), left_(k), counts_(kBins) {}

  bool done() const { return done_; }
  void count(std::uint64_t key, std::uint64_t times = 1) {
    if (key >> shift_ >> 16 == prefix_) counts_[key >> shift_ & (kBins - 1)] += times;
  }
  void end_pass() {
    std::size_t bin = kBins - 1;
    for (; bin > 0 && counts_[bin] < left_; --bin) left_ -= counts_[bin];
    prefix_ = prefix_ << 16 | bin;
    done_ = shift_ == 0;
    if (!done_) shift_ -= 16;
    counts_.assign(done_ ? 0 : kBins, 0);
  }
  std::uint64_t key() const { return prefix_; }

 private:
  static constexpr std::size_t kBins = std::size_t{1} << 16;
  unsigned shift_;
  std::uint64_t left_;
  std::uint64_t prefix_ = 0;
  std::vector<std::uint64_t> counts_;
  bool done_ = false;
};

}  // namespace dstore
