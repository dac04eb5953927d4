# Running the tests of one build. Sourced by setup/setup.sh.
# shellcheck shell=bash disable=SC2154

# run_ctest PRESET [CTEST ARGUMENT...]: prints "N passed, N failed" last and returns ctest's verdict.
run_ctest() {
  local folder=$root/build/$1 report=$root/build/$1/ctest.xml status=0 minilm
  shift
  if [[ -x $venv_python ]]; then
    export DSTORE_PYTHON=$venv_python
    if minilm=$(minilm_folder 2>/dev/null); then
      export DSTORE_MINILM=$minilm
    fi
  fi
  rm -f "$report"
  ctest --test-dir "$folder" --output-junit "$report" --output-on-failure --no-tests=error \
    --test-output-size-passed 200000 -j "$(nproc)" "$@" || status=$?
  count_tests "$report" || status=1
  return "$status"
}

# count_tests REPORT...: the closing line over several ctest reports; fails if any test failed or none ran.
count_tests() { "$(find_python)" "$root/setup/count_tests.py" "$@"; }
