// Sizes and speeds of segments of real and made checkpoints, as one JSON object on standard output; times are in nanoseconds, one entry a
// round. bench/format/run.py calls it and prints the tables.
//
//   format_bench profiles                              names of the ways to encode
//   format_bench encode BASE TASK PROFILE ROUNDS       sizes, and encoding on one core
//   format_bench apply BASE TASK PROFILE ROUNDS        decoding into a copy of base in memory, one core and two, beside memcpy
//   format_bench memory BASE TASK PROFILE              anonymous memory of encoding and decoding piece by piece
//   format_bench positions UNITS PERMILLE ROUNDS       decoding of uniformly random positions, beside memcpy of the same output
//   format_bench scatter WEIGHTS PERMILLE ROUNDS OUT   a sparse fp32 change in memory, beside a plain scatter; writes OUT.positions (i32)
//                                                      and OUT.values
#include <cstdio>
#include <cstdlib>

#include "commands.h"
#include "dstore/error.h"

using namespace dstore;
using namespace dstore::bench;

namespace {

struct Command {
  std::string_view name;
  std::size_t arguments;
  Json (*run)(const Arguments& arguments);
};
constexpr Command kCommands[] = {
    {"profiles", 0, run_profiles}, {"encode", 4, run_encode},       {"apply", 4, run_apply},
    {"memory", 3, run_memory},     {"positions", 3, run_positions}, {"scatter", 4, run_scatter},
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argv + (argc > 2 ? 2 : argc), argv + argc);
  for (const Command& command : kCommands) {
    if (argc < 2 || command.name != argv[1] || command.arguments != arguments.size()) continue;
    try {
      std::printf("%s\n", command.run(arguments).serialize().c_str());
      return 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "format_bench: %s\n", error.what());
      return 1;
    }
  }
  std::fprintf(stderr, "format_bench: profiles, encode|apply BASE TASK PROFILE ROUNDS, memory BASE TASK PROFILE, "
                       "positions UNITS PERMILLE ROUNDS, scatter WEIGHTS PERMILLE ROUNDS OUT\n");
  return 2;
}
