#!/usr/bin/env bash
# Checks that the libraries in a folder need glibc and each other alone, find each other
# there, and show no symbol of LLVM.
#
# usage: scripts/check_wheel.sh FOLDER GLIBC_VERSION
set -euo pipefail
folder=$1
newest=$2
glibc='^(libc|libm|libdl|libpthread|librt|ld-linux-x86-64)\.so\.[0-9]+$'
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
  while read -r library; do
    [[ $library =~ $glibc ]] || [ -e "$folder/$library" ] ||
      fail "'$file' needs '$library', which is neither glibc's nor beside it"
  done < <(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  version=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 || true)
  [ "$(printf '%s\n' "$version" "GLIBC_$newest" | sort -V | tail -1)" = "GLIBC_$newest" ] ||
    fail "'$file' expected $newest or older of glibc, got '$version'"
  shown=$(readelf --dyn-syms -W "$file" | awk '$7 != "UND" && $5 != "LOCAL"' | grep -cE '_ZNK?4(llvm|mlir)| LLVM[A-Z]' || true)
  [ "$shown" -eq 0 ] || fail "'$file' shows $shown symbols of LLVM, expected none"
done
exit "$status"
