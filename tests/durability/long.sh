#!/usr/bin/env bash
# The durability tests at length: power cuts, faults, mistakes compiled in, kill -9. Reports one line each; half an hour or more.
#
#   tests/durability/long.sh [-i IMAGES] [-k KILLS] [-m] [PRESET]     default: 25,000 images, 2,000 kills, preset release
#
# Builds what it needs; with -m also the preset "mutants", whose mistakes the tests must notice.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

images=25000 kills=2000 mutants=0
while getopts i:k:m option; do
  case $option in
    i) images=$OPTARG ;;
    k) kills=$OPTARG ;;
    m) mutants=1 ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
preset=${1:-release}
python=${DSTORE_PYTHON:-python3}
failed=0

# report NAME COMMAND...: its time, and the lines that say how much was tried.
report() {
  local name=$1 started=$SECONDS status=0 output
  shift
  output=$("$@" 2>&1) || status=$?
  printf '%s: %s in %d s\n' "$name" "$( ((status == 0)) && echo passed || echo FAILED)" $((SECONDS - started))
  grep -E 'violations|kills,|noticed|NOT NOTICED' <<<"$output" | sed 's/^ */  /'
  ((status == 0)) || { failed=1; tail -40 <<<"$output"; }
}

cmake --build "build/$preset" --target durability_test dstore >/dev/null || exit 1
export DSTORE_POWER_LOSS_IMAGES=$images DSTORE_KILLS=$kills DSTORE_BIN=build/$preset/bin/dstore
DSTORE_BIN=$(realpath "$DSTORE_BIN")
report "power cuts" "build/$preset/tests/durability_test" "[power]"
report "faults" "build/$preset/tests/durability_test" "[fault]"
report "kill -9" "$python" tests/cli/killed_test.py LedgerTest
if ((mutants)); then
  cmake --preset mutants -DPython_EXECUTABLE="$python" >/dev/null || exit 1
  cmake --build build/mutants --target durability_test odb_test repo_test >/dev/null || exit 1
  report "mistakes" "$python" tests/durability/mutants.py build/mutants/tests
fi
exit "$failed"
