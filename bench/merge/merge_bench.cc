// Times merging for `bench/run merge`; prints a JSON object of nanoseconds. See bench/README.md.
//   merge_bench files OUT BASE TASK,TASK,... METHOD [NAME=VALUE...]     dense files to a file
//   merge_bench segments BASE DENSITY METHOD [NAME=VALUE...]            three sparse tasks to segments
//   merge_bench both BASE DENSITY METHOD [NAME=VALUE...]                the same by changes alone and by whole pieces
//   merge_bench memory UNITS CHANGED METHOD [NAME=VALUE...]             the same, of a base in memory
#include <cstdio>
#include <exception>
#include <sstream>

#include "commands.h"

namespace dstore::bench {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ',');) out.push_back(word);
  return out;
}

Json run(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words[0];
  const std::size_t method = command == "files" ? 4 : 3;
  if (words.size() <= method) throw std::runtime_error("usage: see the first lines of bench/merge/merge_bench.cc");
  const std::vector<std::string> settings(words.begin() + static_cast<std::ptrdiff_t>(method) + 1, words.end());
  if (command == "files") {
    const std::vector<std::string> tasks = split(words[3]);
    return merge_files(words[2], tasks, choose_method(words[4], settings, tasks.size()), words[1]);
  }
  const MethodChoice choice = choose_method(words[3], settings, 3);
  if (command == "both") return merge_both_ways(words[1], std::stod(words[2]), choice);
  if (command == "segments") return merge_segments(words[1], std::stod(words[2]), choice);
  return merge_in_memory(std::stoull(words[1]), std::stoull(words[2]), choice);
}

}  // namespace

MethodChoice choose_method(const std::string& name, const std::vector<std::string>& words, std::size_t models) {
  const MergeMethod& method = find_merge_method(name);
  MergeSettings::Given given;
  for (const std::string& word : words) {
    const std::size_t at = word.find('=');
    given[word.substr(0, at)] = split(word.substr(at + 1));
  }
  return {&method, MergeSettings(method.name, method.parameters, given, models, 1)};
}

}  // namespace dstore::bench

int main(int count, char** words) {
  try {
    std::puts(dstore::bench::run({words + 1, words + count}).serialize().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "merge_bench: %s\n", error.what());
    return 1;
  }
}
