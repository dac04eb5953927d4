# Configuring and building. Sourced by setup/setup.sh.
# shellcheck shell=bash disable=SC2154

# build PRESET [TARGET...]: configures build/PRESET and builds what is not up to date (everything, or the targets). Off a terminal the compiler's output goes to
# build/PRESET/build.log and is shown only when something failed.
build() {
  local preset=$1 folder=$root/build/$1 started arguments=() targets=()
  shift
  [[ $# == 0 ]] || targets=(--target "$@")
  started=$(now)
  if [[ $preset == release ]]; then
    arguments=("-DPython_EXECUTABLE=$venv_python" "-DDSTORE_LIBTORCH=${DSTORE_LIBTORCH:-}" -DDSTORE_TRAINER=ON)
  fi
  mkdir -p "$folder"
  say "Building build/$preset with $(nproc) processes ..."
  (cd "$root" && cmake --preset "$preset" "${arguments[@]}") >"$folder/configure.log" 2>&1 ||
    { cat "$folder/configure.log" >&2; die "cmake could not configure build/$preset; its output stands above"; }
  if [[ -t 1 ]]; then
    cmake --build "$folder" "${targets[@]}"
  else
    cmake --build "$folder" "${targets[@]}" >"$folder/build.log" 2>&1
  fi || { [[ -t 1 ]] || tail -n 60 "$folder/build.log" >&2; die "build/$preset failed; its last lines stand above"; }
  say "Built build/$preset in $(seconds_since "$started") s."
}
