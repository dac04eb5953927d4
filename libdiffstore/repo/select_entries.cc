#include "repo/select_entries.h"

#include <algorithm>
#include <mutex>

#include "base/parallel.h"
#include "base/radix_select.h"
#include "delta/element.h"
#include "delta/segment.h"

namespace dstore {
namespace {

/// Scopes that are searched at once: one histogram each.
constexpr std::size_t kScopesAtOnce = 32;
constexpr unsigned kRankBits = 64;
constexpr std::uint64_t kOrdinaryReads = kRankBits / RadixSelect::kDigitBits + 1;

using Block = ChangeRanks::Block;

/// A piece of a tensor.
struct Part {
  std::size_t tensor = 0;
  std::uint64_t first = 0;
  std::uint64_t units = 0;
  std::uint64_t bytes = 0;
};

/// Consecutive parts of one scope, 16 MiB at most: what one thread takes at a time.
struct Job {
  std::size_t scope = 0;
  std::vector<Part> parts;
  std::uint64_t bytes = 0;
};

class Search {
 public:
  Search(const ChangeRanks& ranks, unsigned threads, const std::function<void(std::uint64_t, std::uint64_t)>& progress)
      : ranks_(ranks), threads_(threads), progress_(progress) {
    for (const ChangeRanks::Tensor& tensor : ranks.tensors()) total_ += kOrdinaryReads * tensor.units * unit_type(tensor.dtype).bytes;
    out_.cuts.resize(ranks.tensors().size());
    out_.shares.resize(ranks.tensors().size());
  }

  void run(std::span<const SelectionScope> scopes) {
    plan(scopes);
    std::vector<RadixSelect> selects;
    for (const SelectionScope& scope : scopes) selects.emplace_back(kRankBits, scope.k);
    while (!std::all_of(selects.begin(), selects.end(), [](const RadixSelect& select) { return select.done(); })) narrow(selects);
    const std::vector<Cut> cuts = find_cuts(selects);
    for (std::size_t s = 0; s < scopes.size(); ++s) {
      for (const std::size_t tensor : scopes[s].tensors) out_.cuts[tensor] = cuts[s];
    }
    measure(cuts);
  }

  SelectedEntries take() { return std::move(out_); }

 private:
  void plan(std::span<const SelectionScope> scopes) {
    jobs_.clear();
    for (std::size_t s = 0; s < scopes.size(); ++s) {
      bool fresh = true;
      for (const std::size_t t : scopes[s].tensors) {
        const ChangeRanks::Tensor& tensor = ranks_.tensors()[t];
        const std::uint64_t piece = piece_units(tensor.dtype);
        for (std::uint64_t first = 0; first < tensor.units; first += piece) {
          const std::uint64_t units = std::min(piece, tensor.units - first), bytes = units * unit_type(tensor.dtype).bytes;
          if (fresh || jobs_.back().bytes + bytes > kPieceBytes) jobs_.push_back({s, {}, 0});
          fresh = false;
          jobs_.back().parts.push_back({t, first, units, bytes});
          jobs_.back().bytes += bytes;
        }
      }
    }
  }

  /// For the jobs that `wanted` takes, on all threads: start(job) makes a state, which takes (part, block) in order; end(job, state)
  /// is called for one at a time.
  template <class Wanted, class Start, class End>
  void scan(Wanted wanted, Start start, End end) {
    std::vector<std::size_t> chosen;
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
      if (wanted(jobs_[j])) chosen.push_back(j);
    }
    parallel_for(chosen.size(), threads_, [&](std::size_t i) {
      const Job& job = jobs_[chosen[i]];
      auto state = start(chosen[i]);
      for (const Part& part : job.parts) {
        ranks_.read(part.tensor, part.first, part.units, [&](const Block& block) { state(part, block); });
      }
      const std::scoped_lock lock(mutex_);
      end(chosen[i], state);
      if (progress_) progress_(std::min(done_ += job.bytes, total_), total_);
    });
  }

  /// One digit more of every threshold that is not known.
  void narrow(std::vector<RadixSelect>& selects) {
    struct Histogram {
      RadixSelect select;
      RadixSelect::Counts counts = RadixSelect::Counts(RadixSelect::kBins);
      void operator()(const Part&, const Block& block) {
        for (const std::uint64_t rank : block.ranks) {
          if (select.wants(rank)) ++counts[select.digit(rank)];
        }
      }
    };
    std::vector<RadixSelect::Counts> counts(selects.size());
    for (std::size_t s = 0; s < selects.size(); ++s) {
      if (!selects[s].done()) counts[s].resize(RadixSelect::kBins);
    }
    scan([&](const Job& job) { return !selects[job.scope].done(); }, [&](std::size_t j) { return Histogram{selects[jobs_[j].scope]}; },
         [&](std::size_t j, const Histogram& found) {
           RadixSelect::Counts& sum = counts[jobs_[j].scope];
           for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += found.counts[i];
         });
    for (std::size_t s = 0; s < selects.size(); ++s) {
      if (!selects[s].done()) selects[s].narrow(counts[s]);
    }
  }

  /// Where some entries of a threshold's rank are left out, they are counted job by job to find the first of those.
  std::vector<Cut> find_cuts(const std::vector<RadixSelect>& selects) {
    struct Count {
      std::uint64_t rank, count = 0;
      void operator()(const Part&, const Block& block) { count += static_cast<std::uint64_t>(std::count(block.ranks.begin(), block.ranks.end(), rank)); }
    };
    std::vector<std::uint64_t> counts(jobs_.size());
    scan([&](const Job& job) { return selects[job.scope].splits_ties(); }, [&](std::size_t j) { return Count{selects[jobs_[j].scope].threshold()}; },
         [&](std::size_t j, const Count& found) { counts[j] = found.count; });
    std::vector<Cut> cuts(selects.size());
    parallel_for(selects.size(), threads_, [&](std::size_t s) {
      const std::size_t none_or_all = selects[s].ties() == 0 ? 0 : ranks_.tensors().size();
      cuts[s] = selects[s].splits_ties() ? split_ties(s, selects[s], counts) : Cut{selects[s].threshold(), none_or_all, 0};
    });
    return cuts;
  }

  Cut split_ties(std::size_t scope, const RadixSelect& select, const std::vector<std::uint64_t>& counts) const {
    std::uint64_t left = select.ties();
    std::size_t j = 0;
    for (; jobs_[j].scope != scope || counts[j] <= left; ++j) {
      if (jobs_[j].scope == scope) left -= counts[j];
    }
    Cut cut{select.threshold(), 0, 0};
    bool found = false;
    for (const Part& part : jobs_[j].parts) {
      ranks_.read(part.tensor, part.first, part.units, [&](const Block& block) {
        for (std::size_t i = 0; i < block.ranks.size() && !found; ++i) {
          if (block.ranks[i] != cut.threshold || left-- > 0) continue;
          cut.tensor = part.tensor;
          cut.unit = block.first + i;
          found = true;
        }
      });
    }
    return cut;
  }

  void measure(const std::vector<Cut>& cuts) {
    struct Shares {
      const Cut* cut;
      std::vector<std::pair<std::size_t, KeptShare>> parts;
      void operator()(const Part& part, const Block& block) {
        if (parts.empty() || parts.back().first != part.tensor) parts.emplace_back(part.tensor, KeptShare{});
        add(part.tensor, block, parts.back().second);
      }
      void add(std::size_t tensor, const Block& block, KeptShare& share) const {
        for (std::size_t i = 0; i < block.ranks.size(); ++i) {
          const std::uint64_t rank = block.ranks[i];
          if (rank == 0) continue;
          const bool kept = cut->keeps(rank, tensor, block.first + i), scored = rank != kUnscoredRank;
          const double energy = scored ? block.differences[i] * block.differences[i] : 0;
          ++share.changed;
          share.unscored += !scored;
          share.energy += energy;
          if (!kept) continue;
          ++share.kept;
          share.kept_energy += energy;
          share.least_rank = std::min(share.least_rank, rank);
        }
      }
    };
    std::vector<Shares> found(jobs_.size());
    scan([](const Job&) { return true; }, [&](std::size_t j) { return Shares{&cuts[jobs_[j].scope], {}}; },
         [&](std::size_t j, Shares& shares) { found[j] = std::move(shares); });
    for (const Shares& shares : found) {  // in order: sums repeat
      for (const auto& [tensor, share] : shares.parts) out_.shares[tensor] += share;
    }
  }

  const ChangeRanks& ranks_;
  unsigned threads_;
  const std::function<void(std::uint64_t, std::uint64_t)>& progress_;
  std::uint64_t done_ = 0, total_ = 0;
  std::mutex mutex_;
  std::vector<Job> jobs_;  ///< in the order of scopes, tensors and units
  SelectedEntries out_;
};

}  // namespace

KeptShare& KeptShare::operator+=(const KeptShare& other) {
  changed += other.changed;
  kept += other.kept;
  unscored += other.unscored;
  energy += other.energy;
  kept_energy += other.kept_energy;
  least_rank = std::min(least_rank, other.least_rank);
  return *this;
}

SelectedEntries select_entries(const ChangeRanks& ranks, const std::vector<SelectionScope>& scopes, unsigned threads,
                         const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  Search search(ranks, threads, progress);
  for (std::size_t first = 0; first < scopes.size(); first += kScopesAtOnce) {
    search.run(std::span(scopes).subspan(first, std::min(kScopesAtOnce, scopes.size() - first)));
  }
  return search.take();
}

}  // namespace dstore
