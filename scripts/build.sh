#!/usr/bin/env bash
# Sets up, configures and builds one of the presets of CMakePresets.json.
#
# usage: scripts/build.sh [release|debug|asan|package] [ninja arguments...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true
case $preset in
release) build=build ;;
debug | asan | package) build=build-$preset ;;
*)
  echo "build.sh: error: preset expected release, debug, asan or package, got '$preset'" >&2
  exit 1
  ;;
esac

scripts/setup.sh
[ -f "$build/build.ninja" ] ||
  cmake --preset "$preset" \
    -DPython3_EXECUTABLE="$PWD/.venv/bin/python" -DPython_EXECUTABLE="$PWD/.venv/bin/python" >"/tmp/boostr-configure.$$" 2>&1 || {
  cat "/tmp/boostr-configure.$$" >&2
  exit 1
}
rm -f "/tmp/boostr-configure.$$"
ninja -C "$build" "$@"
