# Plain messages and timing. Sourced by setup/setup.sh.
# shellcheck shell=bash disable=SC2034

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' plain=$'\e[0m'
else
  bold='' plain=''
fi

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

now() { date +%s.%N; }
seconds_since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

# have PROGRAM: quiet test.
have() { command -v "$1" >/dev/null 2>&1; }
