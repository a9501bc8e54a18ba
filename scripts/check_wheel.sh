#!/usr/bin/env bash
# Checks that the libraries in a folder need glibc, its companion libgcc_s (by which
# exceptions cross the libraries of a process) and each other alone, find each other there,
# and show no symbol of LLVM.
#
# usage: scripts/check_wheel.sh FOLDER GLIBC_VERSION
set -euo pipefail
. "$(dirname "$0")/check_needs.sh"
folder=$1
newest=$2
status=0

fail() {
  echo "check_wheel.sh: error: $*" >&2
  status=1
}

for file in "$folder"/*.so*; do
  case $(readelf -d "$file" | sed -n 's/.*(R.*PATH).*\[\(.*\)\]/\1/p') in
  '$ORIGIN') ;;
  '') [[ $file == */libpthreadpool* ]] || fail "'$file' does not search beside itself" ;;
  *) fail "'$file' searches elsewhere than beside itself" ;;
  esac
  check_needs "$file" "$folder" "$newest" libgcc_s.so.1
  shown=$(readelf --dyn-syms -W "$file" | awk '$7 != "UND" && $5 != "LOCAL"' | grep -cE '_ZNK?4(llvm|mlir)| LLVM[A-Z]' || true)
  [ "$shown" -eq 0 ] || fail "'$file' shows $shown symbols of LLVM, expected none"
done
exit "$status"
