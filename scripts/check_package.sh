#!/usr/bin/env bash
# Checks that the programs and libraries of a tree need glibc and each other alone,
# and that they compile without anything of their surroundings.
#
# usage: scripts/check_package.sh FOLDER GLIBC_VERSION
set -euo pipefail
folder=$1
newest=$2
glibc='^(libc|libm|libdl|libpthread|librt|ld-linux-x86-64)\.so\.[0-9]+$'
status=0

fail() {
  echo "check_package.sh: error: $*" >&2
  status=1
}

while read -r file; do
  readelf -h "$file" >/dev/null 2>&1 || continue
  while read -r library; do
    [[ $library =~ $glibc ]] || [ -e "$folder/lib/$library" ] ||
      fail "'$file' needs '$library', which is neither glibc's nor in the package"
  done < <(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  version=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 || true)
  [ "$(printf '%s\n' "$version" "GLIBC_$newest" | sort -V | tail -1)" = "GLIBC_$newest" ] ||
    fail "'$file' expected $newest or older of glibc, got '$version'"
done < <(find "$folder" -type f)

example=$(dirname "$0")/../test/tools/Inputs/project.mlir
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for arguments in "boostr-opt --convert-boostr-to-linalg -o $scratch/linalg.mlir" \
  "boostr-compile --emit=so -o $scratch/project.so" \
  "boostr-compile --target=cpu:x86-64 --emit=so -o $scratch/project-old.so"; do
  # shellcheck disable=SC2086 # words, on purpose
  env -i PATH=/nonexistent "$folder"/bin/$arguments "$example" || fail "it does not run: $arguments"
done
exit "$status"
