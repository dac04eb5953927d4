#!/usr/bin/env bash
# Adds new seeds of make_corpus.cc to tests/fuzz/corpus. Files that are there stay as they are.
#
#   tests/fuzz/corpus.sh build/PRESET

set -euo pipefail
build=${1:?usage: tests/fuzz/corpus.sh build/PRESET}
corpus=$(dirname "${BASH_SOURCE[0]}")/corpus
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
ninja -C "$build" fuzz_make_corpus
"$build/tests/fuzz_make_corpus" "$fresh"
cp -rn "$fresh/." "$corpus/"
