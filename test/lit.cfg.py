# The tests and what their RUN lines may use.
#
#   %boostr_build, %boostr_source   the build and source trees
#   %python                         the interpreter, fit to load our libraries
#   %cc                             the C compiler, with the build's sanitizers
#   %mlir_lib_dir                   where MLIR's runner libraries are
#
# Features (REQUIRES:): avx2, avx512, amx, as this CPU has; sanitizer; ptxas, if the
# CUDA toolkit is there; cuda, if there is a device that its driver knows; package-index,
# if pip can reach one; triton, with PyTorch; qemu, which emulates other CPUs.

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(config.boostr_source, "test"))
import boostr_lit

config.name = "boostr"
config.test_format = boostr_lit.BoostrTest(execute_external=False)
config.suffixes = [".mlir", ".ll", ".test", ".py"]
config.excludes = ["Inputs", "lit.cfg.py", "lit.site.cfg.py.in", "CMakeLists.txt", "boostr_lit.py"]
config.test_source_root = os.path.join(config.boostr_source, "test")
config.test_exec_root = os.path.join(config.boostr_build, "test")


def cpu_features():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        return set()
    needed = {
        "avx2": {"avx2", "fma"},
        "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
        "amx": {"amx_tile", "amx_bf16"},
    }
    return {name for name, all_of in needed.items() if all_of <= set(flags)}


def find_ptxas():
    roots = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT")]
    paths = [os.path.join(root, "bin") for root in roots if root] + ["/usr/local/cuda/bin"]
    return shutil.which("ptxas", path=os.pathsep.join([os.environ["PATH"], *paths]))


def has_package_index():
    command = [config.python, "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir"]
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([*command, "-d", folder, "wheel==0.45.1"], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=60).returncode == 0


def has_triton():
    looks = "import importlib.util as i, sys; sys.exit(not (i.find_spec('torch') and i.find_spec('triton')))"
    return subprocess.run([config.python, "-c", looks], check=False).returncode == 0


def has_cuda_device():
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    return (driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
            and count.value > 0)


config.available_features |= cpu_features()
if find_ptxas():
    config.available_features.add("ptxas")
if has_package_index():
    config.available_features.add("package-index")
if shutil.which("qemu-x86_64"):
    config.available_features.add("qemu")
if has_triton():
    config.available_features.add("triton")
if has_cuda_device():
    config.available_features.add("cuda")
if config.sanitize:
    config.available_features.add("sanitizer")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.boostr_build, "bin"), config.llvm_tools, config.environment["PATH"]])
for name in ("HOME", "TMPDIR", "CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "ASAN_OPTIONS", "UBSAN_OPTIONS", "BOOSTR_NUM_THREADS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.environment["PYTHONPATH"] = os.path.join(config.boostr_build, "python")
config.environment["BOOSTR_CACHE_DIR"] = os.path.join(config.test_exec_root, "cache")
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
config.environment["OPENBLAS_NUM_THREADS"] = "1"  # NumPy's; as many tests run as there are CPUs.
config.environment["BOOSTR_BUILD_DIR"] = config.boostr_build
config.environment["BOOSTR_COMPILE"] = os.path.join(config.boostr_build, "bin", "boostr-compile")
config.environment["BOOSTR_RUNTIME_LIBRARY"] = os.path.join(
    config.boostr_build, "lib", "libboostr_runtime.so")

config.python_command = [config.python]
c_compiler = config.c_compiler
if config.sanitize:
    c_compiler += f" -fsanitize={config.sanitize} -fno-sanitize=vptr"
if config.sanitizer_runtime:
    # python_env keeps the processes that Python starts from loading it too: tools
    # have the runtime linked in, and two of them do not get along.
    config.python_command = [
        "env", f"LD_PRELOAD={config.sanitizer_runtime}", "ASAN_OPTIONS=detect_leaks=0",
        f"PYTHONPATH={config.test_source_root}/python_env:{config.environment['PYTHONPATH']}",
        config.python]

config.substitutions += [
    ("%boostr_build", config.boostr_build),
    ("%boostr_source", config.boostr_source),
    ("%python", " ".join(config.python_command)),
    ("%cc", c_compiler),
    ("%mlir_lib_dir", config.mlir_lib_dir),
]
