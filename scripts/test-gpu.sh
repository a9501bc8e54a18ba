#!/usr/bin/env bash
# Runs the tests that need a GPU, with what was built or with an installed wheel.
#
# usage: scripts/test-gpu.sh [--sanitize] [pytest arguments...]
#
# The execution tests are compiled for the first CUDA device and run there, against
# float64, and those of the Python package on tensors of the device. They use the package
# boostr of build/ or an installed wheel, and, where tests are about them, the compiler and
# the runtime that BOOSTR_COMPILE and BOOSTR_RUNTIME_LIBRARY name, as of an unpacked
# archive. Needs Python with pytest, NumPy and ml_dtypes, and PyTorch, transformers,
# JAX and hypothesis for the tests that say so; tests run side by side if pytest-xdist is there.
# Tests of several devices need two GPUs in the machine, and say so where they are skipped.
# The execution tests of the ops run once more with products by cuBLASLt, which is that of
# PyTorch if it is not found otherwise, and once more with code for sm_80, as PTX.
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
export BOOSTR_COMPILE BOOSTR_RUNTIME_LIBRARY BOOSTR_TEST_TARGET=cuda PYTHONDONTWRITEBYTECODE=1
[ ! -d build/python ] || export PYTHONPATH=$PWD/build/python${PYTHONPATH:+:$PYTHONPATH}
python=$(find_first .venv/bin/python)
python=${python:-python3}
"$python" -c 'import boostr' || {
  echo "test-gpu.sh: error: no package boostr; build, or install a wheel" >&2
  exit 1
}

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
# Several processes share the device's memory, most of which JAX would take at once.
export XLA_PYTHON_CLIENT_PREALLOCATE=false
cublaslt=$("$python" - <<'EOF'
import ctypes, glob, os, sysconfig
for name in ("libcublasLt.so.13", "libcublasLt.so.12"):
    try:
        ctypes.CDLL(name)
        break
    except OSError:
        pass
else:
    found = glob.glob(os.path.join(sysconfig.get_path("purelib"), "nvidia", "*", "lib", "libcublasLt.so.1[23]"))
    print(found[0] if found else "")
EOF
)
if [ -z "${BOOSTR_CUBLASLT_LIBRARY:-}" ] && [ -n "$cublaslt" ]; then
  export BOOSTR_CUBLASLT_LIBRARY=$cublaslt
fi
parallel=()
"$python" -c 'import xdist' 2>/dev/null && parallel=(-n auto --dist loadfile)
emulated=(--ignore=test/execution/test_gpu_kernels.py --ignore=test/execution/test_gpu_cublaslt.py)
status=0
"$python" -m pytest -q -p no:cacheprovider --tb=short -k 'not overlap' "${emulated[@]}" \
  "${parallel[@]}" test/execution test/python/test_torch*.py test/python/test_jax*.py "$@" || status=$?
echo "products by cuBLASLt"
BOOSTR_TEST_GEMM=cublaslt "$python" -m pytest -q -p no:cacheprovider --tb=short -k 'not overlap' \
  "${parallel[@]}" test/execution/test_{fused_qkv,out_proj_residual}{,_grad}.py \
  test/execution/test_{layers,special_arrays,original_cases,finite_differences}.py "$@" || status=$?
echo "code for sm_80, compiled for this device by the driver"
BOOSTR_TEST_TARGET=cuda:sm_80 "$python" -m pytest -q -p no:cacheprovider --tb=short -k 'not overlap' \
  "${parallel[@]}" test/execution/test_{fused_qkv,out_proj_residual}{,_grad}.py \
  test/execution/test_tensor_cores.py "$@" || status=$?
exit $status
