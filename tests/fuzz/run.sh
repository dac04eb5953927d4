#!/usr/bin/env bash
# Fuzzes with libFuzzer (Debian: apt-get install clang-16 libclang-rt-16-dev; clang 14 lacks a part of C++20).
#
#   tests/fuzz/run.sh [-n RUNS] [-t SECONDS] [TARGET...]     default: 1,000,000 runs each, at most 600 s, all targets
#
# CXX names another clang. Programs: build/fuzz; new inputs and findings: build/fuzz/work/TARGET. One line of result a target.
# A finding becomes a test by putting its input into tests/fuzz/corpus/TARGET.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

runs=1000000 seconds=600
while getopts n:t: option; do
  case $option in
    n) runs=$OPTARG ;;
    t) seconds=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
targets=("$@")
if [[ ${#targets[@]} == 0 ]]; then
  read -ra targets <<<"$(basename -a tests/fuzz/corpus/* | tr '\n' ' ')"
fi

cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER="${CXX:-clang++-16}" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DDSTORE_TRAINER=OFF \
  -DDSTORE_SANITIZE=fuzzer-no-link,address,undefined >/dev/null
ninja -C build/fuzz "${targets[@]/#/fuzz_}" >/dev/null

failed=0
for target in "${targets[@]}"; do
  work=build/fuzz/work/$target
  mkdir -p "$work/inputs"
  start=$(date +%s)
  verdict='no finding'
  # Inputs that take more than 64 MiB at once, 10 s or 1 GiB in all are findings too.
  build/fuzz/tests/fuzz_"$target" -runs="$runs" -max_total_time="$seconds" -malloc_limit_mb=64 -rss_limit_mb=1024 -timeout=10 -max_len=8192 \
    -artifact_prefix="$work/" -print_final_stats=1 "$work/inputs" tests/fuzz/corpus/"$target" >"$work/log" 2>&1 || {
    verdict="FINDING, see $work/log"
    failed=1
  }
  done_runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
  covered=$(grep -o 'cov: [0-9]*' "$work/log" | tail -1 || true)
  printf '%-20s %9s runs %5s s  %-10s %s\n' "$target" "${done_runs:-?}" "$(($(date +%s) - start))" "$covered" "$verdict"
done
exit $failed
