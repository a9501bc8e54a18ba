#!/usr/bin/env bash
# Packs tools, runtime, headers, documents and the drivers of the GPU benchmark into an
# archive that runs on any x86-64 Linux with glibc 2.36 or newer; LLVM and MLIR are linked
# in. Python has a wheel (scripts/wheel.sh).
#
# usage: scripts/package.sh [output folder]     (default: build-package)
set -euo pipefail
cd "$(dirname "$0")/.."
source_root=$PWD
output=$(realpath -m "${1:-build-package}")
glibc=2.36

scripts/build.sh package all boostr-doc

version=$(sed -n 's/^project(.* VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
name=boostr-mlir-$version-linux-x86_64
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
cmake --install build-package --prefix "$staging/$name" --strip >/dev/null
scripts/check_package.sh "$staging/$name" "$glibc"

mkdir -p "$output"
tar -C "$staging" --sort=name --owner=0 --group=0 --numeric-owner \
  --mtime="@$(git -C "$source_root" log -1 --format=%ct)" -cf - "$name" |
  xz -9 -T2 >"$output/$name.tar.xz.part"
mv "$output/$name.tar.xz.part" "$output/$name.tar.xz"
size=$(stat -c %s "$output/$name.tar.xz")
echo "$output/$name.tar.xz: $((size / 1000000)) MB"
[ "$size" -lt 40000000 ] || {
  echo "package.sh: error: expected less than 40 MB" >&2
  exit 1
}
