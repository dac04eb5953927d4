#!/usr/bin/env bash
# What ./demo and ./test share: packages, the Python environment, the build. Sourced by them; run by itself, it does the
# set-up and the release build. It installs only what is missing, so a second run changes nothing and needs no network.

set -euo pipefail
export LC_ALL=C.UTF-8  # numbers with a decimal point, names in byte order
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# confirm: a person at a terminal may say no; otherwise nothing is asked.
confirm() {
  [[ -t 0 && -t 1 && -z ${CI:-} ]] || return 0
  local answer
  read -rp "Continue? [Y/n] " answer
  [[ $answer != [nN]* ]] || die "stopped; nothing was installed"
}

for part in say debian python build ctest; do
  # shellcheck source=/dev/null
  source "$root/setup/$part.sh"
done

# setup_all: everything up to the built programs (not the tests), which are then on PATH.
setup_all() {
  setup_debian
  setup_python
  build release dstore dstore-train
  export PATH="$root/build/release/bin:$PATH"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  setup_all
fi
