#pragma once

#include <optional>
#include <string>
#include <vector>

#include "repo/compose.h"
#include "repo/write_delta.h"

namespace dstore {

/// A tensor that an export changed, or could not take along.
struct ExportedTensor {
  std::string name;
  double energy = 0;            ///< sum of squares of the difference from the base
  double kept = 0;              ///< of it, in the export; 0 where it was left out
  std::uint64_t changed = 0;    ///< elements that the task changes (peft-shira, sparse-safetensors)
  std::uint64_t inexact = 0;    ///< elements that loading the export gives other bits than the task's (peft-shira)
  std::string left_out;         ///< why; empty: it is in the export

  double lost() const { return energy > 0 ? 1 - kept / energy : 0; }
};

struct ExportReport {
  std::vector<CheckedCommit> commits;
  std::vector<ExportedTensor> tensors;    ///< that differ from the base, by name
  std::vector<std::string> whole;         ///< tensors that the export has whole
  std::uint64_t rank = 0;                 ///< of an adapter
  std::uint64_t bytes = 0;
  std::size_t files = 0;

  /// Share of the difference's energy that the export has not.
  double lost() const {
    double all = 0, there = 0;
    for (const ExportedTensor& tensor : tensors) {
      all += tensor.energy;
      there += tensor.kept;
    }
    return all > 0 ? 1 - there / all : 0;
  }
};

/// The formats (docs/adapters.md). All refuse a target that exists (Error{conflict}), and leave nothing half-written.

/// One safetensors file with the elements that the task changes, and tensors that are new or of another shape; commit_patch() of it
/// gives the same weights.
ExportReport export_sparse(const Repository& repository, const Revision& revision, const std::string& file, const Progress& progress);
/// A PEFT folder whose factors are the truncated SVD of each matrix's difference (truncated_svd.h).
ExportReport export_lora(const Repository& repository, const Revision& revision, std::uint64_t rank, const std::string& folder, const Progress& progress);
/// A PEFT folder with the changed elements of the weights of Linear modules, as differences in F32. Error{invalid_argument} if a tensor
/// changes in too many places for SHiRA, or no such tensor changes.
ExportReport export_shira(const Repository& repository, const Revision& revision, const std::string& folder, const Progress& progress);

}  // namespace dstore
