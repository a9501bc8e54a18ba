# For scripts that source it: what a program or a library needs of the system.

# check_needs FILE FOLDER GLIBC_VERSION [LIBRARY]
# Calls `fail` with words unless the file needs nothing but glibc of that version or
# older, the libraries in the folder and LIBRARY.
check_needs() {
  local file=$1 folder=$2 newest=$3 other=${4:-} library version
  local glibc='^(libc|libm|libdl|libpthread|librt|ld-linux-x86-64)\.so\.[0-9]+$'
  while read -r library; do
    [[ $library =~ $glibc ]] || [ -e "$folder/$library" ] || [ "$library" = "$other" ] ||
      fail "'$file' needs '$library', which is neither glibc's nor in '$folder'"
  done < <(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  version=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 || true)
  [ "$(printf '%s\n' "$version" "GLIBC_$newest" | sort -V | tail -1)" = "GLIBC_$newest" ] ||
    fail "'$file' expected $newest or older of glibc, got '$version'"
}
