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
    r"gpu\.launch blocks\((%\w+), (%\w+), %\w+\) in "
    r"\((%\w+) = (%\w+), (%\w+) = (%\w+), [^)]*\) "
    r"threads\((%\w+), %\w+, %\w+\) in \(%\w+ = (%\w+), [^)]*\)"
    r"(?: dynamic_shared_memory_size (%\w+))? \{")

# What boostr-cpu-pipeline does with code in loops.
LOWERING = ["canonicalize", "cse", "boostr-parallel-to-runtime{grain=1}", "convert-vector-to-scf",
            "convert-scf-to-cf", "expand-strided-metadata", "lower-affine",
            "arith-expand{include-bf16=true}", "convert-vector-to-llvm", "convert-arith-to-llvm",
            "convert-index-to-llvm", "finalize-memref-to-llvm{use-generic-functions=true}",
            "convert-cf-to-llvm", "convert-func-to-llvm", "canonicalize",
            "reconcile-unrealized-casts", "boostr-export-functions"]

MMA = ["f16", "bf16", "tf32", "f64", "f64_k16"]
DECLARATIONS = "\n".join(
    f"  func.func private @emulated_{signature}" for signature in
    ["barrier()", "commit()", "wait(index)", "copy(index, index, index, index)",
     "shuffle_f32(f32, i32) -> f32", "shuffle_f64(f64, i32) -> f64",
     "ldmatrix(index)", "ldmatrix_transposed(index)", "round_tf32(f32) -> i32"] +
    [f"mma_{kind}()" for kind in MMA] + [f"operand_{kind}({kind})" for kind in ["i32", "f32", "f64"]] +
    [f"result_{kind}(index) -> {kind}" for kind in ["i32", "f32", "f64"]]) + "\n"

LDMATRIX = re.compile(
    r"(%\w+) = nvgpu\.ldmatrix (%\w+)\[(.*)\] \{numTiles = 4 : i32, transpose = (\w+)\} "
    r": memref<(\S+), #\S+> -> (vector<4x2x(\w+)>)")
COPY = re.compile(
    r"%\w+ = nvgpu\.device_async_copy (%\w+)\[(.*)\], (%\w+)\[(.*)\], (\d+), (%\w+) *(?:\{bypassL1\})? "
    r": (memref<\?x(\w+), .*>) to memref<(\S+), #\S+>")
PRODUCT = re.compile(
    r"(%\w+) = nvvm\.mma\.sync A\[(.*?)\] +B\[(.*?)\] +C\[(.*?)\] +\{.*\} : \((.*?), (.*?), (\w+)\) ->")
INTRINSIC = re.compile(r'(%\w+) = llvm\.call_intrinsic "llvm\.nvvm\.mma\.m16n8k16\.row\.col\.f64"\((.*)\) :')
EXTRACT = re.compile(r"(%\w+) = llvm\.extractvalue (%\w+)\[(\d)\] : !llvm.struct<\((f32|f64|i32)")
ROUND = re.compile(r"(%\w+) = nvvm\.convert\.float\.to\.tf32 (%\w+) \{rnd = #nvvm.fp_rnd_mode<rna>\}")


class Rewriter:
    """Calls of gpu_emulator.c in place of ops on warps."""

    def __init__(self):
        self.count = 0

    def name(self):
        self.count += 1
        return f"%emulated_{self.count}"

    def constant(self, value, lines):
        name = self.name()
        lines.append(f"{name} = arith.constant {value} : index")
        return name

    def combine(self, op, x, y, lines):
        name = self.name()
        lines.append(f"{name} = arith.{op} {x}, {y} : index")
        return name

    def address(self, memref, indices, shape, lines):
        """Of an element of shared memory, whose shape is static."""
        *extents, element = shape.split("x")
        pointer = self.name()
        lines.append(f"{pointer} = memref.extract_aligned_pointer_as_index {memref} : "
                     f"memref<{shape}> -> index")
        offset = self.constant(0, lines)
        for index, extent in zip(indices.split(", "), extents):
            scaled = self.combine("muli", offset, self.constant(extent, lines), lines)
            offset = self.combine("addi", scaled, index, lines)
        size = self.constant(int(re.sub(r"\D+", "", element)) // 8 if element != "bf16" else 2, lines)
        return self.combine("addi", pointer, self.combine("muli", offset, size, lines), lines), size

    def copy(self, source, index, target, indices, count, present, source_type, element, shape):
        lines = []
        to, size = self.address(target, indices, shape, lines)
        pointer, offset = self.name(), self.name()
        lines.append(f"{pointer} = memref.extract_aligned_pointer_as_index {source} : {source_type} "
                     "-> index")
        lines.append(f"%unused_{self.count}, {offset}, %unused_size_{self.count}, "
                     f"%unused_stride_{self.count} = memref.extract_strided_metadata {source} : "
                     f"{source_type} -> memref<{element}>, index, index, index")
        place = self.combine("muli", self.combine("addi", offset, index, lines), size, lines)
        start = self.combine("addi", pointer, place, lines)
        whole = self.combine("muli", self.constant(count, lines), size, lines)
        there = self.combine("muli", present, size, lines)
        lines.append(f"func.call @emulated_copy({to}, {start}, {whole}, {there}) "
                     ": (index, index, index, index) -> ()")
        return lines

    def ldmatrix(self, result, memref, indices, transpose, shape, result_type, element):
        lines = []
        address, _ = self.address(memref, indices, shape, lines)
        name = "ldmatrix_transposed" if transpose == "true" else "ldmatrix"
        lines.append(f"func.call @emulated_{name}({address}) : (index) -> ()")
        registers = [self.result(self.name(), i, "i32", lines) for i in range(4)]
        packed, flat = self.name(), self.name()
        lines += [f"{packed} = vector.from_elements {', '.join(registers)} : vector<4xi32>",
                  f"{flat} = vector.bitcast {packed} : vector<4xi32> to vector<8x{element}>",
                  f"{result} = vector.shape_cast {flat} : vector<8x{element}> to {result_type}"]
        return lines

    def result(self, name, number, kind, lines):
        lines.append(f"{name} = func.call @emulated_result_{kind}({self.constant(number, lines)}) "
                     f": (index) -> {kind}")
        return name

    def product(self, _, row, column, sums, row_type, column_type, sum_type):
        lines = []
        for values, kind in ((row, row_type), (column, column_type), (sums, sum_type)):
            for value in values.split(", "):
                if kind.startswith("vector"):
                    value, pair = self.name(), value
                    lines.append(f"{value} = llvm.bitcast {pair} : {kind} to i32")
                scalar = "i32" if kind.startswith("vector") else kind
                lines.append(f"func.call @emulated_operand_{scalar}({value}) : ({scalar}) -> ()")
        return lines

    def line(self, line):
        """What stands for `line`; None if that is itself."""
        if match := COPY.search(line):
            return self.copy(*match.groups())
        if match := LDMATRIX.search(line):
            return self.ldmatrix(*match.groups())
        if match := PRODUCT.search(line):
            kind = re.search(r"mma_type<(\w+)>", line)
            kind = kind.group(1) if kind else ("f64" if "f64" in match.group(7) else "f16")
            return self.product(*match.groups()) + [f"func.call @emulated_mma_{kind}() : () -> ()"]
        if match := INTRINSIC.search(line):
            lines = [f"func.call @emulated_operand_f64({value}) : (f64) -> ()"
                     for value in match.group(2).split(", ")]
            return lines + ["func.call @emulated_mma_f64_k16() : () -> ()"]
        if match := EXTRACT.search(line):
            lines = []
            self.result(match.group(1), match.group(3), match.group(4), lines)
            return lines
        if match := ROUND.search(line):
            return [f"{match.group(1)} = func.call @emulated_round_tf32({match.group(2)}) "
                    ": (f32) -> i32"]
        if match := re.search(r"nvvm\.cp\.async\.wait\.group (\d+)", line):
            lines = []
            count = self.constant(match.group(1), lines)
            return lines + [f"func.call @emulated_wait({count}) : (index) -> ()"]
        if "nvvm.cp.async.commit.group" in line:
            return ["func.call @emulated_commit() : () -> ()"]
        return None


def emulate(text):
    """Launches in `text` as loops; other ops as they are."""
    lines, is_open, rewriter = [], False, Rewriter()
    for line in text.split("\n"):
        launch = LAUNCH.search(line)
        if launch:
            block, part, grid, blocks, grid_y, parts, thread, threads, shared = launch.groups()
            size = "%size_of_shared"
            lines += ["scf.execute_region {", "%zero = arith.constant 0 : index",
                      "%one = arith.constant 1 : index",
                      f"{grid} = arith.addi {blocks}, %zero : index",
                      f"{grid_y} = arith.addi {parts}, %zero : index",
                      f"{size} = arith.index_cast {shared} : i32 to index" if shared else
                      f"{size} = arith.constant 0 : index",
                      f"scf.for {part} = %zero to {parts} step %one {{",
                      f"scf.for {block} = %zero to {blocks} step %one {{",
                      f"%shared_memory = memref.alloc({size}) {{alignment = 16 : i64}} "
                      ": memref<?xi8>",
                      f"scf.parallel ({thread}) = (%zero) to ({threads}) step (%one) {{"]
            is_open = True
        elif is_open and line.strip() == "gpu.terminator":
            lines += ["scf.reduce", "} {boostr.grain = 1 : i64}",
                      "memref.dealloc %shared_memory : memref<?xi8>", "}", "}", "scf.yield"]
            is_open = False
        else:
            lines += rewriter.line(line) or [line]
    text = "\n".join(lines).replace(SHARED_SPACE, "")
    text = re.sub(r"(%\w+) = gpu\.dynamic_shared_memory : \S+",
                  r"\1 = memref.cast %shared_memory : memref<?xi8> to memref<?xi8>", text)
    text = re.sub(r"nvvm\.bar\.warp\.sync .*", "", text)  # Orders loads.
    text = re.sub(r"nvvm\.griddepcontrol .*", "", text)  # Kernels run one after the other.
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


def compile_emulated(texts, chip="sm_80", options=""):
    """The functions of `texts` for `chip`, whose kernels the emulator knows, as a module."""
    build = os.environ["BOOSTR_BUILD_DIR"]
    opt = os.path.join(build, "bin", "boostr-opt")
    # Loops that are no kernels yet are those around products of a library.
    kernels = run([opt, f"--boostr-cuda-pipeline=chip={chip} stop-after=kernels {options}",
                   "--scf-parallel-for-to-nested-fors"], "\n".join(texts))
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
