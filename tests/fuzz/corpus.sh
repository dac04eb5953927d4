#!/usr/bin/env bash
# Makes the seeds of tests/fuzz/corpus again. Files that are not seeds (findings, inputs that reach further) stay.
#
#   tests/fuzz/corpus.sh build/PRESET

set -euo pipefail
build=${1:?usage: tests/fuzz/corpus.sh build/PRESET}
corpus=$(dirname "${BASH_SOURCE[0]}")/corpus
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
ninja -C "$build" fuzz_make_corpus
"$build/tests/fuzz_make_corpus" "$fresh"
cp -r "$fresh/." "$corpus/"
