#include <algorithm>

#include "base/bytes.h"
#include "base/edit_distance.h"
#include "dstore/error.h"
#include "merge/parameters.h"

namespace dstore {
namespace {

/// A value that a preset gives to a parameter of the methods that have it, or of one method alone.
struct Row {
  std::string_view preset, method, parameter, value;
};
constexpr std::string_view kMergekit = "mergekit", kPeft = "peft", kPaper = "paper", kEvery = "";

constexpr Row kRows[] = {
    {kMergekit, kEvery, "elect", "weighted"},  {kMergekit, kEvery, "mean", "weights"},     {kMergekit, kEvery, "tie", "plus"},
    {kMergekit, kEvery, "trim_scope", "tensor"}, {kMergekit, kEvery, "density_of", "elements"}, {kMergekit, kEvery, "least", "1"},
    {kMergekit, "dare_linear", "rescale", "l1"}, {kMergekit, "dare_ties", "rescale", "l1"}, {kMergekit, "della_linear", "rescale", "l1"},
    {kMergekit, "della", "rescale", "l1"},
    {kPeft, kEvery, "elect", "unweighted"},    {kPeft, kEvery, "mean", "count"},           {kPeft, kEvery, "tie", "plus"},
    {kPeft, kEvery, "trim_scope", "tensor"},   {kPeft, kEvery, "density_of", "elements"},  {kPeft, kEvery, "least", "0"},
    {kPeft, "dare_linear", "rescale", "inverse"}, {kPeft, "dare_ties", "rescale", "inverse"}, {kPeft, "dare_ties", "normalize", "true"},
    {kPaper, kEvery, "elect", "unweighted"},   {kPaper, kEvery, "mean", "count"},          {kPaper, kEvery, "tie", "global"},
    {kPaper, kEvery, "trim_scope", "model"},   {kPaper, kEvery, "density_of", "elements"},
    {kPaper, "dare_linear", "rescale", "inverse"}, {kPaper, "dare_ties", "rescale", "inverse"}, {kPaper, "dare_ties", "normalize", "true"},
    {kPaper, "della_linear", "rescale", "inverse"}, {kPaper, "della", "rescale", "inverse"},
};

}  // namespace

std::map<std::string_view, std::string_view> merge_preset(std::string_view preset, std::string_view method, const std::vector<std::string>& parameters) {
  std::map<std::string_view, std::string_view> out;
  bool known = false;
  for (const Row& row : kRows) {
    if (row.preset != preset) continue;
    known = true;
    const bool has = std::find(parameters.begin(), parameters.end(), row.parameter) != parameters.end();
    if (has && (row.method.empty() || row.method == method)) out[row.parameter] = row.value;
  }
  if (!known) {
    const auto near = nearest(preset, {std::string(kMergekit), std::string(kPeft), std::string(kPaper)});
    throw Error(ErrorCode::invalid_argument, "preset: \"" + printable(preset) + "\" is none of mergekit, peft, paper" +
                                                 (near ? "; did you mean " + *near + "?" : ""));
  }
  if (out.empty()) throw Error(ErrorCode::invalid_argument, "preset: method " + std::string(method) + " is the same in all; leave it out");
  return out;
}

}  // namespace dstore
