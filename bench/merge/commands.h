#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "merge/merge_method.h"

namespace dstore::bench {

struct MethodChoice {
  const MergeMethod* method;
  MergeSettings settings;
};
/// `words` are NAME=VALUE[,VALUE...].
MethodChoice choose_method(const std::string& name, const std::vector<std::string>& words, std::size_t models);

/// Merges mapped safetensors files into a new one.
Json merge_files(const std::string& base, const std::vector<std::string>& tasks, const MethodChoice& choice, const std::string& out);
/// Merges three random tasks of a mapped base that change `density` of it, as segments in memory; then hashes what a commit would.
Json merge_segments(const std::string& base, double density, const MethodChoice& choice);
/// The same of a part of the base by changes alone and by way of whole pieces, taking turns.
Json merge_both_ways(const std::string& base, double density, const MethodChoice& choice);
/// As merge_segments(), of `units` random bf16 numbers in memory, of which each task changes `changed`.
Json merge_in_memory(std::uint64_t units, std::uint64_t changed, const MethodChoice& choice);

}  // namespace dstore::bench
