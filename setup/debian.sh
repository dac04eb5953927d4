# The Debian/Ubuntu packages that building and testing need. Sourced by setup/setup.sh.
# shellcheck shell=bash

# Names are the same in Debian 12 and Ubuntu 24.04.
debian_packages=(
  g++ cmake ninja-build pkg-config
  libsqlite3-dev liblz4-dev libxxhash-dev libssl-dev libonig-dev libutf8proc-dev
  libcli11-dev nlohmann-json3-dev libyaml-cpp-dev catch2
  openssh-client openssl wordnet-base python3-venv
)

missing_packages() {
  local package
  for package in "${debian_packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s ' "$package"
  done
}

# as_root COMMAND...: runs it as root, directly or through sudo.
as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  else
    sudo "$@"
  fi
}

# apt_plan PACKAGE...: apt's own sentences on how much it would download and how much disk that takes.
apt_plan() {
  as_root apt-get install --assume-no --no-install-recommends "$@" 2>/dev/null | grep -E '^(Need to get|After this)' || true
}

# not_debian: nothing is installed; says what to look for when a build tool is missing.
not_debian() {
  local tool absent=''
  for tool in g++ cmake ninja pkg-config ssh-keygen python3; do
    have "$tool" || absent+=" $tool"
  done
  [[ -z $absent ]] || die "not a Debian or Ubuntu system, and these programs are missing:$absent. \
Install the equivalents of: ${debian_packages[*]}"
}

setup_debian() {
  if ! have dpkg-query || ! have apt-get; then
    not_debian
    return
  fi
  local missing
  read -ra missing <<<"$(missing_packages)"
  if [[ ${#missing[@]} == 0 ]]; then
    say "Debian packages: all ${#debian_packages[@]} present."
    return
  fi
  local install="apt-get install --no-install-recommends ${missing[*]}"
  if [[ $(id -u) != 0 ]] && ! have sudo; then
    die "these Debian packages are missing, and installing them needs root. Run as root: $install"
  fi
  say "Debian packages missing: ${missing[*]}"
  as_root apt-get update -qq || say "apt-get update failed; trying with the package lists that are here."
  apt_plan "${missing[@]}"
  confirm
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get failed. Run it by hand to see why: $install"
}
