#!/usr/bin/env bash
# Installs what is missing, builds, runs every test, ends with a line of totals.
#
# usage: scripts/test.sh [--preset release|debug|asan] [lit arguments...]
#
# Examples:
#   scripts/test.sh                        all tests of the release build
#   scripts/test.sh --preset asan          with AddressSanitizer
#   scripts/test.sh --filter=dialect -v    some tests, with their output
set -euo pipefail
cd "$(dirname "$0")/.."
preset=release
if [ "${1:-}" = --preset ]; then
  preset=${2:?--preset expected release, debug or asan}
  shift 2
fi
build=build
[ "$preset" = release ] || build=build-$preset

scripts/build.sh "$preset"

results=$build/test/results.json
rm -f "$results"
status=0
.venv/bin/python /usr/lib/llvm-22/bin/lit -sv --output "$results" "$@" "$build/test" || status=$?
[ -f "$results" ] || exit "$status"
.venv/bin/python scripts/summarize_lit.py "$results"
exit "$status"
