#!/usr/bin/env bash
# Builds the wheel of the Python package, checks it, and installs it into a clean
# virtual environment to try it there.
#
# usage: scripts/wheel.sh [python] [output folder]   (default: python3, build-wheel)
#
# The wheel needs glibc 2.36 or newer, libgcc_s and NumPy; with Python 3.12 or newer one wheel
# serves all later versions too, with 3.10 and 3.11 it is for that version.
set -euo pipefail
python=${1:-python3}
[[ $python != */* ]] || python=$(realpath -s "$python")
cd "$(dirname "$0")/.."
output=$(realpath -m "${2:-build-wheel}")
glibc=2.36

scripts/setup.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m pip wheel -q --disable-pip-version-check --no-deps -w "$scratch" .

# Named for the glibc that it needs, which is checked.
"$python" -m venv "$scratch/tools"
"$scratch/tools/bin/python" -m pip install -q --disable-pip-version-check wheel==0.45.1
"$scratch/tools/bin/python" -m wheel tags --remove \
  --platform-tag "manylinux_${glibc/./_}_x86_64" "$scratch"/*.whl >/dev/null
wheel=$(ls "$scratch"/*.whl)
size=$(stat -c %s "$wheel")
[ "$size" -lt 40000000 ] || {
  echo "wheel.sh: error: expected less than 40 MB, got $((size / 1000000)) MB" >&2
  exit 1
}
mkdir "$scratch/unpacked"
(cd "$scratch/unpacked" && "$python" -m zipfile -e "$wheel" .)
scripts/check_wheel.sh "$scratch/unpacked/boostr" "$glibc"

"$python" -m venv "$scratch/clean"
"$scratch/clean/bin/python" -m pip install -q --disable-pip-version-check "$wheel"
(cd "$scratch" && env -i PATH=/nonexistent HOME="$scratch" "$scratch/clean/bin/python" \
  "$OLDPWD/test/python/try_wheel.py")
mkdir -p "$output"
mv "$wheel" "$output/"
echo "$output/$(basename "$wheel"): $((size / 1000000)) MB"
