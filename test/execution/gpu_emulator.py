# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""GPU kernels on a CPU: `gpu.launch` becomes a loop over blocks of coroutines.

The kernels are those that `boostr-generate-gpu` makes for GPUs, down to each index. What
is not here is what follows them: LLVM's code for NVIDIA, and races between threads that
run at once.
"""

import os
import re
import shutil
import subprocess
import tempfile

import boostr

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED_SPACE = ", #gpu.address_space<workgroup>"
LAUNCH = re.compile(
    r"gpu\.launch blocks\((%\w+), (%\w+), (%\w+)\) in \((%\w+) = (%\w+), [^)]*\) "
    r"threads\((%\w+), (%\w+), (%\w+)\) in \((%\w+) = (%\w+), [^)]*\)"
    r"(?: dynamic_shared_memory_size (%\w+))? \{")

# What boostr-cpu-pipeline does with code in loops.
LOWERING = ["canonicalize", "cse", "boostr-parallel-to-runtime{grain=1}", "convert-vector-to-scf",
            "convert-scf-to-cf", "expand-strided-metadata", "lower-affine",
            "arith-expand{include-bf16=true}", "convert-vector-to-llvm", "convert-arith-to-llvm",
            "convert-index-to-llvm", "finalize-memref-to-llvm{use-generic-functions=true}",
            "convert-cf-to-llvm", "convert-func-to-llvm", "canonicalize",
            "reconcile-unrealized-casts", "boostr-export-functions"]

DECLARATIONS = """
  func.func private @emulated_barrier()
  func.func private @emulated_shuffle_f32(f32, i32) -> f32
  func.func private @emulated_shuffle_f64(f64, i32) -> f64
"""


def emulate(text):
    """Launches in `text` as loops; other ops as they are."""
    lines, is_open = [], False
    for line in text.split("\n"):
        launch = LAUNCH.search(line)
        if launch:
            block, _, _, _, blocks, thread, _, _, _, threads, shared = launch.groups()
            size = "%size_of_shared"
            lines += ["scf.execute_region {", "%zero = arith.constant 0 : index",
                      "%one = arith.constant 1 : index",
                      f"{size} = arith.index_cast {shared} : i32 to index" if shared else
                      f"{size} = arith.constant 0 : index",
                      f"scf.for {block} = %zero to {blocks} step %one {{",
                      f"%shared_memory = memref.alloc({size}) {{alignment = 16 : i64}} "
                      ": memref<?xi8>",
                      f"scf.parallel ({thread}) = (%zero) to ({threads}) step (%one) {{"]
            is_open = True
        elif is_open and line.strip() == "gpu.terminator":
            lines += ["scf.reduce", "} {boostr.grain = 1 : i64}",
                      "memref.dealloc %shared_memory : memref<?xi8>", "}", "scf.yield"]
            is_open = False
        else:
            lines.append(line)
    text = "\n".join(lines).replace(SHARED_SPACE, "")
    text = re.sub(r"(%\w+) = gpu\.dynamic_shared_memory : \S+",
                  r"\1 = memref.cast %shared_memory : memref<?xi8> to memref<?xi8>", text)
    text = text.replace("gpu.barrier", "func.call @emulated_barrier() : () -> ()")
    text = re.sub(r"(%\w+), %\w+ = gpu\.shuffle +xor (%\w+), (%\w+), %\w+ : (f\d+)",
                  r"\1 = func.call @emulated_shuffle_\4(\2, \3) : (\4, i32) -> \4", text)
    assert "gpu.launch" not in text, "a launch of another form"
    end = text.rstrip().rindex("}")
    return text[:end] + DECLARATIONS + text[end:]


def find_tool(name):
    """LLVM's tools are in PATH, with or without the version in the name; without, `clang` may
    be another one."""
    return shutil.which(f"{name}-22") or name


def run(arguments, text=None):
    result = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(arguments)}:\n{result.stderr[:4000]}")
    return result.stdout


def compile_emulated(texts, chip="sm_80"):
    """The functions of `texts` for a GPU without kernels of its own, as a module."""
    build = os.environ["BOOSTR_BUILD_DIR"]
    opt = os.path.join(build, "bin", "boostr-opt")
    kernels = run([opt, f"--boostr-cuda-pipeline=chip={chip} stop-after=kernels"],
                  "\n".join(texts))
    lowered = run([opt, f"--pass-pipeline=builtin.module({','.join(LOWERING)})"],
                  emulate(kernels))
    llvm = run([find_tool("mlir-translate"), "--mlir-to-llvmir", "--allow-unregistered-dialect"],
               lowered)
    runtime = os.environ["BOOSTR_RUNTIME_LIBRARY"]
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "kernels.so")
        run([find_tool("clang"), "-O1", "-w", "-shared", "-fPIC", "-o", path,
             os.path.join(HERE, "gpu_emulator.c"), "-x", "ir", "-", "-x", "none", runtime,
             "-lm"], llvm)
        return boostr.load(path)
