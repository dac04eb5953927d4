# What ./demo is told with: phases with times, commands printed before they run, and checks. Sourced by demo.
# shellcheck shell=bash disable=SC2034,SC2154,SC2164

work=$root/demo-work
story_started=$(now)
phase_name='' phase_times=()

# Steps of each size. Noun methods are rows "NAME|OPTIONS"; NAME is the branch.
case $size in
  smoke)
    python_steps=2
    task_sizes=(--train 600 --dev 100 --test 200)
    short='--steps 4' pruning='--steps 8'
    ;;
  default)
    python_steps=8
    task_sizes=()
    short='--steps 110' pruning='--steps 160'
    ;;
  full)
    python_steps=8
    task_sizes=()
    short='--epochs 3' pruning='--epochs 3'
    ;;
esac
task_options=(--seed 1 --batch 32)
read -ra verb_options <<<"$([[ $size == default ]] && echo "--steps 120" || echo "$pruning")"
noun_methods=("noun-full|full|$short" "noun-last-layer|last-layer|$short" "noun-topic|diff-pruning|--density 0.5% $pruning")
if [[ $size == full ]]; then
  noun_methods+=("noun-bitfit|bitfit|$short" "noun-head|head|$short"
    "noun-unstructured|diff-pruning|--density 0.5% --set structure=none $pruning")
fi

failed() {
  printf '\ndemo: failed in "%s"; the command above did not do what it must. What it made stands in %s\n' \
    "$phase_name" "$work" >&2
}
trap failed ERR
set -E

# phase NAME FUNCTION: a heading, the function, its time.
phase() {
  local started
  started=$(now)
  phase_name=$1
  printf '\n%s%s%s\n%s\n' "$bold" "$1" "$plain" "${1//?/-}"
  "$2"
  phase_times+=("$(printf '%-44s %8s s' "$1" "$(seconds_since "$started")")")
  printf '\n(%s: %s s)\n' "$1" "$(seconds_since "$started")"
}

# print_command WORD...: as a person would type it.
print_command() {
  local word line='$'
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./:=@%+,~-]+$ ]] || word="\"$word\""
    line+=" $word"
  done
  printf '\n%s%s%s\n' "$bold" "$line" "$plain"
}

# run COMMAND...: prints it, runs it, prints its time when it was not instant.
run() {
  local started
  print_command "$@"
  started=$(now)
  call "$@"
  awk -v s="$(seconds_since "$started")" 'BEGIN { if (s >= 1) printf "(%s s)\n", s }'
}

run_quietly() { call "$@" >/dev/null; }

# call: `python SCRIPT` means the environment's Python and the project's example scripts.
call() {
  if [[ $1 != python ]]; then
    "$@"
    return
  fi
  local script=$2
  shift 2
  [[ $script != make_tasks.py ]] || script=wordnet/$script
  PYTHONWARNINGS=ignore HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1 TRANSFORMERS_VERBOSITY=error \
    OMP_WAIT_POLICY=passive "$venv_python" "$root/examples/$script" "$@"
}

# run_refused COMMAND...: the command must fail with an error of its own (exit status 1 to 9), not crash.
run_refused() {
  local status=0
  print_command "$@"
  call "$@" || status=$?
  ((status >= 1 && status <= 9)) || die "this had to be refused, and was not (exit status $status)"
  say "(refused, exit status $status)"
}

# run_differing COMMAND...: like `diff`, it must exit with 1; of a long answer the beginning and the end are shown.
run_differing() {
  local status=0
  print_command "$@"
  call "$@" >long-answer || status=$?
  ((status == 1)) || die "exit status $status; 1, \"there are differences\", was expected"
  awk '{ line[NR] = $0 } END { for (i = 1; i <= NR; i++) if (NR < 20 || i < 9 || i > NR - 8) print line[i]
       else if (i == 9) printf "... (%d more lines)\n", NR - 16 }' long-answer
  rm long-answer
}

# digests FOLDER: SHA-256 of every file, except dstore's own note of what it checked out.
digests() { (cd "$1" && find . -type f ! -name .dstore-checkout -print0 | sort -z | xargs -0 sha256sum); }

# same_files A B: every file has the same bytes in both.
same_files() {
  local count
  count=$(digests "$1" | wc -l)
  ((count > 0)) || die "$1 has no files"
  diff <(digests "$1") <(digests "$2") || die "$1 and $2 differ"
  say "Checked: the $count files of $1 and $2 have the same SHA-256 digests."
}

# train_noun "BRANCH|METHOD|OPTIONS"
train_noun() {
  local name method options
  IFS='|' read -r name method options <<<"$1"
  read -ra options <<<"$options"
  run dstore train minilm --method "$method" "${options[@]}" "${task_options[@]}" --data data/noun-topic/train.tsv \
    --dev data/noun-topic/dev.tsv --test data/noun-topic/test.tsv --name "$name"
  run dstore commit "$name" -m "WordNet nouns, $method"
}

largest_pack() { find "$1/.dstore" -name '*.pack' -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2-; }

fingerprint() { dstore key list | grep -o 'SHA256:[A-Za-z0-9+/]*' | head -1; }

results_table() {
  say ""
  say "The numbers of this run (one seed$([[ $size == full ]] || echo ', too few steps to judge a method by')):"
  say ""
  "$venv_python" "$root/examples/results_table.py" >table.md
  cat table.md
  {
    printf '# ./demo%s, %s\n\n' "$([[ $size == default ]] || printf ' --%s' "$size")" "$(date -u +%F)"
    printf '%s, %s cores, %s; %s. Accuracy on the test set, chosen on dev; one seed.\n\n' \
      "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$(dstore --version | head -1)" "${task_options[*]}"
    cat table.md
  } >results.md
  rm table.md
}

# open_work: an empty demo-work/ with the model at hand under a short name.
open_work() {
  exec 9>"$root/build/demo.lock"
  flock -n 9 || die "another ./demo is at work in $work"
  rm -rf "$work"
  mkdir -p "$work"
  cd "$work"
  export DSTORE_CONFIG_HOME=$work/user1
  unset DSTORE_KEY
  ln -s "$(minilm_folder)" minilm
}

close_work() {
  printf '\n%sTimes%s\n' "$bold" "$plain"
  printf '%s\n' "${phase_times[@]}"
  printf '%-44s %8s s\n' "all" "$(seconds_since "$story_started")"
  if [[ $keep == no ]]; then
    rm -rf damaged almost-minilm resharded-minilm resharded-noun python-again first-model second-model
  fi
  printf '\nThe store, the data and the checked-out model are in %s\n' "$work"
}
