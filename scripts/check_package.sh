#!/usr/bin/env bash
# Checks that the programs and libraries of a tree need glibc and each other alone,
# and that they compile without anything of their surroundings.
#
# usage: scripts/check_package.sh FOLDER GLIBC_VERSION
set -euo pipefail
. "$(dirname "$0")/check_needs.sh"
folder=$1
newest=$2
status=0

fail() {
  echo "check_package.sh: error: $*" >&2
  status=1
}

while read -r file; do
  readelf -h "$file" >/dev/null 2>&1 || continue
  check_needs "$file" "$folder/lib" "$newest"
done < <(find "$folder" -type f)

for script in bench.py modules.py host_time.py shapes.json; do
  [ -e "$folder/benchmarks/gpu/$script" ] || fail "'benchmarks/gpu/$script' is missing"
done

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
