#!/usr/bin/env bash
# Runs the tests that need a GPU, with what was built or with an unpacked package.
#
# usage: scripts/test-gpu.sh [--sanitize] [pytest arguments...]
#
# The execution tests are compiled for the first CUDA device and run there, against
# float64. BOOSTR_COMPILE and BOOSTR_RUNTIME_LIBRARY name the compiler and the runtime,
# as of an unpacked package; without them those of build/ are used. Needs Python with
# pytest, NumPy and ml_dtypes; tests run side by side if pytest-xdist is there.
#
# --sanitize runs one case of each family of kernels under compute-sanitizer instead:
# memcheck, then racecheck.
set -euo pipefail
cd "$(dirname "$0")/.."
sanitize=false
if [ "${1:-}" = --sanitize ]; then
  sanitize=true
  shift
fi
find_first() {
  local path
  for path in "$@"; do
    if [ -e "$path" ]; then
      echo "$path"
      return
    fi
  done
}
BOOSTR_COMPILE=${BOOSTR_COMPILE:-$(find_first build/bin/boostr-compile)}
BOOSTR_RUNTIME_LIBRARY=${BOOSTR_RUNTIME_LIBRARY:-$(find_first build/lib/libboostr_runtime.so.1)}
[ -n "$BOOSTR_COMPILE" ] && [ -n "$BOOSTR_RUNTIME_LIBRARY" ] || {
  echo "test-gpu.sh: error: no boostr-compile or no runtime library; build, or set BOOSTR_COMPILE and BOOSTR_RUNTIME_LIBRARY" >&2
  exit 1
}
export BOOSTR_COMPILE BOOSTR_RUNTIME_LIBRARY BOOSTR_TEST_TARGET=cuda
export PYTHONPATH=$PWD/python${PYTHONPATH:+:$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1
python=$(find_first .venv/bin/python)
python=${python:-python3}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || {
  echo "test-gpu.sh: error: no GPU, or no driver" >&2
  exit 1
}
if $sanitize; then
  for tool in memcheck racecheck; do
    echo "compute-sanitizer: $tool"
    compute-sanitizer --tool "$tool" --error-exitcode 9 --kernel-name-exclude kns=cub \
      "$python" -m pytest -q -p no:cacheprovider test/execution/test_gpu_sanitized.py "$@"
  done
  exit
fi
parallel=()
"$python" -c 'import xdist' 2>/dev/null && parallel=(-n auto --dist loadfile)
"$python" -m pytest -q -p no:cacheprovider --tb=short -k 'not overlap' \
  --ignore=test/execution/test_gpu_kernels.py "${parallel[@]}" test/execution "$@"
