#!/usr/bin/env bash
# Formats our C and C++ with clang-format 22; with --check, only fails on what it
# would change.
#
# usage: scripts/format.sh [--check]
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run --Werror)
git ls-files '*.c' '*.cpp' '*.h' | xargs clang-format-22 "${mode[@]}"
