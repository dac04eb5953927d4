#!/usr/bin/env bash
# Usage: run.sh BUILD_DIR. Installs the build into a scratch prefix, builds a program against it and runs both.
set -euo pipefail
build=$1
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export DSTORE_CONFIG_HOME=$scratch/config
cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
"$scratch/prefix/bin/dstore" --version | grep -q '^dstore '
cmake -S "$here" -B "$scratch/b" -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$scratch/b" >/dev/null
mkdir "$scratch/repo" "$scratch/base" "$scratch/task"
out=$("$scratch/b/embedding_example" "$scratch/repo" "$scratch/base" "$scratch/task")
printf '%s\n' "$out"
[ "$out" = $'task a task\nbase a base' ]
cmp "$scratch/repo/out/model.safetensors" "$scratch/task/model.safetensors"
