// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The passes. Every description says: input, output, what is left, when it fails.

#ifndef BOOSTR_PASSES_PASSES_TD
#define BOOSTR_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// passes/linalg
//===----------------------------------------------------------------------===//

def ConvertBoostrToLinalg : Pass<"convert-boostr-to-linalg"> {
  let summary = "Lower boostr ops on tensors to linalg contractions on views";
  let description = [{
    Input: boostr ops in value form.

    Output: one `linalg.contract` for each term of each segment, on slices and
    expanded shapes of the operands where they lie: no transpose, no concatenation,
    no copy. f16 and bf16 accumulate in f32; a `linalg.generic` adds bias, residual
    and given gradients and rounds once. Bias gradients are reductions in
    `linalg.generic`. What comes out is plain linalg, tensor and arith for any other
    compiler to take over, and serves as the specification that can be run.

    Leaves: every other op, of any dialect.

    Fails: on a boostr op in buffer form, at that op.

    Example: `test/passes/linalg/convert-boostr-to-linalg.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def DecomposeLinalg : Pass<"boostr-decompose-linalg"> {
  let summary = "Take linalg ops apart that have no loops of their own";
  let description = [{
    Input: linalg ops on tensors that are aggregates, as `linalg.softmax`.

    Output: the structured linalg ops that their own decomposition makes of them.

    Leaves: boostr ops, which are aggregates too, and every other op; an aggregate
    that refuses to be taken apart.

    Fails: never.

    Example: `test/passes/linalg/decompose-linalg.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect"];
}

def FuseElementwise : Pass<"boostr-fuse-elementwise"> {
  let summary = "Fuse linalg ops with the elementwise ops before them";
  let description = [{
    Input: `linalg.generic` on tensors.

    Output: what `linalg-fuse-elementwise-ops` makes of it.

    Leaves: an op whose result is used more than once, and one that reads its
    destination, as an addition in place does. Upstream's pass fuses the latter
    into ops with more loops, where it would be done once for each iteration.

    Fails: never.

    Example: `test/passes/linalg/fuse-elementwise.mlir`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def OrderLoops : Pass<"boostr-order-loops"> {
  let summary = "Let linalg ops run along memory";
  let description = [{
    Input: `linalg.generic` on memrefs.

    Output: the same with that loop innermost along which the fewest operands are
    strided, so that LLVM can vectorize it. Where that is a loop that sums, the sum
    may be taken in partial sums (`reassoc` and `contract` on its `arith.addf`),
    unless it is one of f16 or bf16: linalg gives sums no order. The order depends on the code alone, so results
    are the same from run to run.

    Leaves: linalg ops on tensors, named linalg ops, and every other op.

    Fails: never.

    Example: `test/passes/linalg/order-loops.mlir`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def LowerExpandShapes : Pass<"boostr-lower-expand-shapes"> {
  let summary = "Lower memref.expand_shape with several dynamic extents in a group";
  let description = [{
    Input: `memref.expand_shape`.

    Output: `memref.reinterpret_cast` of the sizes that the op was given, where a
    dimension is split into two or more dynamic ones, as tokens into batch and
    sequence: `expand-strided-metadata` of LLVM 22 crashes on these.

    Leaves: every other `memref.expand_shape`, and every other op.

    Fails: never.

    Example: `test/passes/linalg/lower-expand-shapes.mlir`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::memref::MemRefDialect"];
}

def LowerDeallocations : Pass<"boostr-lower-deallocations"> {
  let summary = "Free memory by comparing addresses";
  let description = [{
    Input: `bufferization.dealloc`, as `ownership-based-buffer-deallocation` makes
    it.

    Output: comparisons of addresses, and `memref.dealloc` of what is owned, is not
    retained and is not another name of what is freed already. Upstream's lowering
    keeps addresses in arrays where there are several, which are memory of a device
    when code is generated for one.

    Leaves: every other op.

    Fails: never.

    Example: `test/passes/linalg/lower-deallocations.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def LowerCopies : Pass<"boostr-lower-copies"> {
  let summary = "Turn copies between buffers into linalg ops";
  let description = [{
    Input: `memref.copy`, as bufferization leaves it.

    Output: `linalg.generic` that copies, so that a copy is tiled, vectorized and
    run by threads as every other loop, whatever its strides; LLVM's lowering would
    call a library for strided ones.

    Leaves: copies of unranked memrefs, and every other op.

    Fails: never.

    Example: `test/passes/linalg/lower-copies.mlir`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

//===----------------------------------------------------------------------===//
// passes/cpu
//===----------------------------------------------------------------------===//

def SetCpuTarget : Pass<"boostr-set-cpu-target", "::mlir::ModuleOp"> {
  let summary = "Write down which CPU code is generated for";
  let description = [{
    Input: any module.

    Output: the module with an attribute `boostr.cpu_target`: the CPU, its
    features, the vector registers to use and the sizes of the caches. With
    `cpu=native` all of it is read from this machine; for another CPU what LLVM
    knows of it decides, and cache sizes are typical ones.

    Leaves: a `boostr.cpu_target` that is there already: what the user wrote wins.

    Fails: on a CPU or feature that LLVM does not know, or a CPU that is not x86-64.

    Example: `test/passes/cpu/set-cpu-target.mlir`.
  }];
  let options = [
    Option<"cpu", "cpu", "std::string", "\"native\"",
           "LLVM's name of the CPU, or `native` for this machine">,
    Option<"features", "features", "std::string", "\"\"",
           "LLVM features to add or remove, as in `+avx512f,-amx-tile`">];
  let dependentDialects = ["::mlir::boostr::BoostrDialect"];
}

def PrepackWeights : Pass<"boostr-prepack-weights", "::mlir::ModuleOp"> {
  let summary = "Add functions that pack a weight and that take it packed";
  let description = [{
    Input: public functions of boostr ops in value form, in a module with
    `boostr.cpu_target`; calls are inlined.

    Output: beside each public function `f` whose argument `w` is one of `arguments`
    and the weight of its products, a function `f_pack_w`, from `w` to bytes
    (`boostr.pack_array`), and a function `f_packed`, which is `f` but that it takes
    these bytes (`boostr.packed_array`). If several of its arguments are packed,
    `f_packed` takes all of them so. Ops that use `w` get their `boostr.cpu_tile`
    here, in `f` too, so both compute the same to the bit.

    Leaves: functions without such an argument, or whose products do not read it.
    With a warning, functions whose argument is not of static shape, is used by
    something other than boostr ops, or in products that want different panels (as a
    product and its gradient do).

    Fails: if there is no function left, for one of `arguments`; if a name is taken.

    Example: `test/passes/cpu/prepack-weights.mlir`.
  }];
  let options = [
    ListOption<"arguments", "arguments", "std::string",
               "Names of the arguments to pack">];
  let dependentDialects = ["::mlir::boostr::BoostrDialect",
                           "::mlir::func::FuncDialect"];
}

def SelectCpuTile : Pass<"boostr-select-cpu-tile", "::mlir::ModuleOp"> {
  let summary = "Choose how contractions are blocked on the CPU";
  let description = [{
    Input: boostr ops in buffer form, in a module with `boostr.cpu_target`.

    Output: each of them with an attribute `boostr.cpu_tile`, made from the
    element type, the registers and caches of the target, and the extents that
    are static.

    Leaves: ops that have a `boostr.cpu_tile`: what the user wrote wins. Ops in
    value form, and every other op.

    Fails: if there is an op to choose for and the module has no
    `boostr.cpu_target`.

    Example: `test/passes/cpu/select-cpu-tile.mlir`.
  }];
}

def HintTileLoads : Pass<"boostr-hint-tile-loads"> {
  let summary = "Load AMX tiles that are not read again soon with a hint";
  let description = [{
    Input: calls of the intrinsic `llvm.x86.tileloadd64.internal` with
    `boostr.streamed`, which `convert-to-llvm` keeps of an `amx.tile_load`.

    Output: calls of `llvm.x86.tileloaddt164.internal` without it: the `amx` dialect
    of LLVM 22 has no such load.

    Leaves: every other op.

    Fails: never.

    Example: `test/passes/cpu/hint-tile-loads.mlir`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def GenerateCpu : Pass<"boostr-generate-cpu", "::mlir::ModuleOp"> {
  let summary = "Turn boostr ops on memrefs into packed, tiled vector code";
  let description = [{
    Input: boostr ops in buffer form with `boostr.cpu_tile`; `boostr.pack_array`.

    Output: for each contraction a loop over as many rows of the left operand as
    `packed_bytes` hold. A first `scf.parallel` packs them into panels, which lays
    them out for the register tile; a second runs over blocks of the result. A task
    of it packs its part of the right operand, multiplies panels in a register tile
    of `vector.fma`, `x86vector.avx512.dot` or `amx` tiles, and stores the block with bias, residual and
    rounding, where the result lies. A bias gradient is summed from the packed rows
    of the weight gradient. How wide the blocks are follows the number of threads,
    which `boostr_num_threads` of the runtime tells; the result does not depend on it.
    A task has at least `min-task-work` multiply-adds, since waking a thread takes
    as long as some; what has fewer in all is done by the caller alone.

    A weight that was packed ahead of time (`boostr.packed_array`) is multiplied
    where it lies, and `boostr.pack_array` packs one.

    Leaves: every other op. Memory for packed rows is allocated and freed around
    the loop, that of a task in the task.

    Fails: on an op in value form, on an op without `boostr.cpu_tile`, on a weight
    that is packed otherwise than the tile says, on a tile whose `lanes` fit no vector, and on `kernel = amx` or `dot` for elements other than bf16.

    Example: `test/passes/cpu/generate-cpu.mlir`.
  }];
  let options = [
    Option<"minTaskWork", "min-task-work", "int64_t", /*default=*/"1 << 18",
           "The fewest multiply-adds of a task">,
  ];
  let dependentDialects = ["::mlir::amx::AMXDialect",
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::x86vector::X86VectorDialect"];
}

//===----------------------------------------------------------------------===//
// passes/gpu
//===----------------------------------------------------------------------===//

def SelectGpuTile : Pass<"boostr-select-gpu-tile", "::mlir::ModuleOp"> {
  let summary = "Choose kernels and tiles of contractions on the GPU";
  let description = [{
    Input: boostr ops in buffer form, in a module with `boostr.gpu_target`.

    Output: each of them with an attribute `boostr.gpu_tiles`, an array of one tile
    for each of the op's contractions: for `gemv` or `gemvt` where there are known
    to be few rows, for `ger` where there are few steps, for `wgmma` where the target
    has it and the contraction fits, for `mma` where tensor cores multiply the
    element type, else for `simt`. Where the number of rows or steps is not known,
    `few_rows` and `few_steps` add kernels to choose from when the code runs, and
    `small` kernels of `simt` and `mma` with smaller blocks; of known extents the tile
    has the blocks that are estimated to take the least time. With
    `gemm` a tile says that the product is left to cuBLASLt: where it is able to,
    with `cublaslt`, and a remark says where it is not; with `auto` where
    measurements had it ahead (docs/gpu-codegen.md). The attribute `boostr.gemm` of
    an op goes before the option.

    Leaves: ops that have `boostr.gpu_tiles`: what the user wrote wins. Ops in value
    form, and every other op.

    Fails: if there is an op to choose for and the module has no
    `boostr.gpu_target`.

    Example: `test/passes/gpu/select-gpu-tile.mlir`.
  }];
  let options = [
    Option<"f32Precision", "f32-precision", "::mlir::boostr::F32Precision",
      "::mlir::boostr::F32Precision::Ieee", "How products of f32 are computed",
      [{::llvm::cl::values(
          clEnumValN(::mlir::boostr::F32Precision::Ieee, "ieee",
                     "fused multiply-adds of f32"),
          clEnumValN(::mlir::boostr::F32Precision::Tf32, "tf32",
                     "tensor cores, operands rounded to 11 bits"),
          clEnumValN(::mlir::boostr::F32Precision::Tf32x3, "tf32x3",
                     "tensor cores, three products of 11 bits"))}]>,
    Option<"gemm", "gemm", "::mlir::boostr::Gemm",
      "::mlir::boostr::Gemm::Generated", "What computes matrix products",
      [{::llvm::cl::values(
          clEnumValN(::mlir::boostr::Gemm::Generated, "generated",
                     "kernels of our own"),
          clEnumValN(::mlir::boostr::Gemm::Cublaslt, "cublaslt",
                     "cuBLASLt, where it has such products"),
          clEnumValN(::mlir::boostr::Gemm::Auto, "auto",
                     "whichever was measured to be faster"))}]>];
}

def GenerateGpu : Pass<"boostr-generate-gpu", "::mlir::ModuleOp"> {
  let summary = "Turn boostr ops on memrefs into GPU kernels and their launches";
  let description = [{
    Input: boostr ops in buffer form with `boostr.gpu_tiles`, one tile for each
    contraction. Their memrefs are memory of the device.

    Output: for each contraction a kernel, and in place of the op its launch, after
    the arithmetic that it takes: extents, tensor maps
    (`boostr_cuda_encode_tensor_map`), the number of blocks. The kernels of `wgmma`
    are in `gpu.module`s and launched by `gpu.launch_func`; the others
    are the bodies of `gpu.launch`, for upstream's outlining. With `few_rows`,
    `few_steps` or `small` an `scf.if` chooses between launches, and also for `mma` where it
    shows only then whether memory can be copied 16 bytes at a time. With `gemm`
    there is a call of `boostr_cuda_multiply`, parallel loops around it where arrays
    have to be packed before or the result unpacked, and the kernel for where the
    library is unable. From sm_90 on the kernels of an op with several contractions
    run at the same time: the first lets later ones begin, and the last block of each
    of these waits for it at its end (`nvvm.griddepcontrol`).

    Leaves: every other op.

    Fails: on an op in value form, on an op without a tile for each contraction,
    and on a tile or kernel that does not fit the contraction.

    Example: `test/passes/gpu/generate-gpu.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
}

def SetGpuTarget : Pass<"boostr-set-gpu-target", "::mlir::ModuleOp"> {
  let summary = "Write down which GPU code is generated for";
  let description = [{
    Input: any module.

    Output: the module with an attribute `boostr.gpu_target`: the chip and the
    features that LLVM is to use of it. Without `features` the version of PTX is the
    one that our kernels for the chip need.

    Leaves: a `boostr.gpu_target` that is there already: what the user wrote wins.

    Fails: on a chip or feature that LLVM does not know of NVIDIA's GPUs.

    Example: `test/passes/gpu/set-gpu-target.mlir`.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_90a\"",
           "LLVM's name of the chip, as in `sm_90a`">,
    Option<"features", "features", "std::string", "\"\"",
           "LLVM features to add or remove, as in `+ptx83`">];
  let dependentDialects = ["::mlir::boostr::BoostrDialect"];
}

def ConstantsToDevice : Pass<"boostr-constants-to-device"> {
  let summary = "Put constant arrays where kernels can read them";
  let description = [{
    Input: `memref.get_global` in functions.

    Output: in its place an array that the function allocates and frees, and a
    kernel (`gpu.launch`) that copies the global into it: outlining gives the kernel
    a global of its own, in memory of the device.

    Leaves: `memref.get_global` in kernels, and every other op.

    Fails: never.

    Example: `test/passes/gpu/constants-to-device.mlir`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def ScalarsToDevice : Pass<"boostr-scalars-to-device", "::mlir::ModuleOp"> {
  let summary = "Leave the host's loads and stores to a thread of the device";
  let description = [{
    Input: functions with `gpu.launch`, and with `memref.load` and `memref.store`
    outside of them, as `tensor.extract` and `tensor.insert` become.

    Output: runs of loads, stores and arithmetic on what was loaded are kernels of
    one thread. What several kernels use is kept in memory.

    Leaves: functions in which something else depends on what was loaded, as the
    bound of a loop; `boostr-check-device-memory` says where. Every other op.

    Fails: never.

    Example: `test/passes/gpu/scalars-to-device.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect"];
}

def LinalgToThreads : Pass<"boostr-linalg-to-threads"> {
  let summary = "Turn linalg ops into parallel loops for threads of a GPU";
  let description = [{
    Input: linalg ops on memrefs.

    Output: for each an `scf.parallel` over the elements of its results, whose last
    loop runs along the memory of the first one: neighbouring iterations write
    neighbouring elements. An iteration sums in registers, with a loop inside for
    each one that reduces, and stores once.

    Leaves: linalg ops on tensors, and every other op.

    Fails: on an op with a result that does not depend on all loops that do not
    reduce.

    Example: `test/passes/gpu/linalg-to-threads.mlir`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"];
}

def MapLoopsToGpu : Pass<"boostr-map-loops-to-gpu"> {
  let summary = "Spread parallel loops over the threads of a GPU";
  let description = [{
    Input: `scf.parallel` without reductions.

    Output: in place of each outermost one a loop over blocks and in it a loop over
    `block-size` threads, marked with the `mapping` that
    `convert-parallel-loops-to-gpu` reads. Iterations are numbered through all
    dimensions, the last one fastest; threads whose number is too large do
    nothing. So a launch has one dimension, of any number of blocks, also none.

    Leaves: parallel loops inside parallel loops, which a thread runs one after the
    other, those that have a `mapping`, those in kernels, and every other op.

    Fails: on a loop with reductions, and on a `block-size` that no GPU has.

    Example: `test/passes/gpu/map-loops-to-gpu.mlir`.
  }];
  let options = [
    Option<"blockSize", "block-size", "int64_t", "256", "Threads of a block">];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::scf::SCFDialect"];
}

def UnifyKernels : Pass<"boostr-unify-kernels", "::mlir::ModuleOp"> {
  let summary = "Collect kernels in one module, none of them twice";
  let description = [{
    Input: `gpu.module`s and launches of their kernels.

    Output: one `gpu.module`, which is compiled and loaded at once. Kernels that
    differ in nothing but their names, as the layers of a model make them, are
    one. What has a name that is taken gets another one, and launches name the
    kernels where they are.

    Leaves: every other op.

    Fails: on an op in a `gpu.module` that is no symbol.

    Example: `test/passes/gpu/unify-kernels.mlir`.
  }];
}

def SplitKernels : Pass<"boostr-split-kernels", "::mlir::ModuleOp"> {
  let summary = "Give large kernels modules of their own, which are compiled side by side";
  let description = [{
    Input: `gpu.module`s and launches of their kernels.

    Output: each kernel of at least `min-ops` ops in a `gpu.module` of its own, the
    largest first, since what follows works on several modules at once. What a
    kernel uses, functions, constants and shared memory, is copied along. Launches
    name the kernels where they are.

    Leaves: kernels of fewer ops, a kernel that is alone in its module, kernels
    that use a global that other kernels may write, and every other op.

    Fails: never.

    Example: `test/passes/gpu/split-kernels.mlir`.
  }];
  let options = [
    Option<"minOps", "min-ops", "int64_t", "500",
           "Ops of a kernel that is worth a module of its own">];
}

def CheckDeviceMemory : Pass<"boostr-check-device-memory"> {
  let summary = "Refuse host code that reads or writes arrays";
  let description = [{
    Input: functions whose arrays are in memory of a device, and their kernels.

    Output: the same.

    Leaves: everything. Kernels may do what they like; the host may allocate and
    free arrays, make views of them, and compute with indices.

    Fails: at each op outside of kernels that reads or writes elements of a memref,
    or is memory of the host.

    Example: `test/passes/gpu/check-device-memory.mlir`.
  }];
}

def GpuToBinary : Pass<"boostr-gpu-to-binary", "::mlir::ModuleOp"> {
  let summary = "Compile kernels to machine code";
  let description = [{
    Input: `gpu.module`s of the LLVM and NVVM dialects, in a module with
    `boostr.gpu_target`.

    Output: for each of them a `gpu.binary` of the same name, with the machine code
    that NVIDIA's assembler `ptxas` makes for the chip, and with PTX, which the
    driver of a later chip compiles. PTX for chips whose name ends in a letter, as
    `sm_90a`, runs on no other chip and is left out. Its table of kernels has types
    and attributes of the parameters, and what each kernel uses:

    ```mlir
    #gpu.kernel_metadata<"f", !llvm.func<void (ptr)>, metadata = {
      registers = 24, shared_bytes = 0, spill_load_bytes = 0,
      spill_store_bytes = 0, stack_bytes = 0}>
    ```

    Metadata of a kernel that waits for the one before it (`nvvm.griddepcontrol
    wait`) has `runs_with_earlier`, by which it is launched.

    For some chips `ptxas` spills registers to have more blocks on a multiprocessor at
    once. Kernels that it does so for, and that have no `nvvm.minctasm`, are assembled
    again with one for a block less, until they spill no more or one block is left.

    What `ptxas` warns about, warpgroup products that it had to serialize and spilled
    registers are warnings at the kernels. It is sought by the option `ptxas`, in
    PATH, CUDA_HOME, CUDA_PATH, CUDA_ROOT and /usr/local/cuda; without it kernels
    are kept as PTX, which a remark says.

    Leaves: every other op.

    Fails: without `boostr.gpu_target`; if a kernel cannot be translated or
    assembled; and if it calls a function of CUDA's libdevice and there is no CUDA
    toolkit.

    Example: `test/passes/gpu/gpu-to-binary.mlir`.
  }];
  let options = [
    Option<"images", "images", "::mlir::boostr::GpuImages",
      "::mlir::boostr::GpuImages::All", "Forms of machine code to make",
      [{::llvm::cl::values(
          clEnumValN(::mlir::boostr::GpuImages::All, "all",
                     "cubin, and PTX where it runs on later chips"),
          clEnumValN(::mlir::boostr::GpuImages::Cubin, "cubin",
                     "cubin only, of one chip"),
          clEnumValN(::mlir::boostr::GpuImages::Ptx, "ptx",
                     "PTX only, without ptxas"))}]>,
    Option<"ptxas", "ptxas", "std::string", "\"\"", "Path of ptxas">,
    Option<"ptxasOptions", "ptxas-options", "std::string", "\"\"",
           "Options for ptxas, as in `-O3 -lineinfo`">,
    Option<"printReport", "report", "bool", "false",
           "Remark at each kernel what it uses">];
  let dependentDialects = ["::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

def GpuToRuntime : Pass<"boostr-gpu-to-runtime", "::mlir::ModuleOp"> {
  let summary = "Turn launches into calls of the runtime, and binaries into constants";
  let description = [{
    Input: `gpu.binary` as `boostr-gpu-to-binary` makes it, and `gpu.launch_func` of
    its kernels, whose operands may be of the LLVM dialect or not lowered yet.

    Output: for each binary a constant `boostr_cuda_module`, for each launch a call
    of `boostr_cuda_launch`, or of `boostr_cuda_launch_beside` if the metadata of the
    kernel has `runs_with_earlier` (boostr_runtime.h). A memref is passed as the LLVM
    lowering of functions does, field by field. The grid and the parameters are on
    the stack. A parameter with `llvm.byval`, as a tensor map, is passed by the
    pointer that the launch has for it.

    Leaves: every other op; casts that vanish with `reconcile-unrealized-casts`.

    Fails: on a launch of a kernel that is in no binary, one whose operands do not
    fit the kernel's parameters, one that is async or outside a function; and on a
    binary for something else than NVIDIA GPUs.

    Example: `test/passes/gpu/gpu-to-runtime.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::NVVM::NVVMDialect"];
}

//===----------------------------------------------------------------------===//
// passes/differentiate
//===----------------------------------------------------------------------===//

def Differentiate : Pass<"boostr-differentiate", "::mlir::ModuleOp"> {
  let summary = "Add a function that computes the gradients of a function";
  let description = [{
    Input: functions of one block on tensors and scalars, named by option
    `functions` or marked with the attribute `boostr.differentiate`: as a unit
    attribute for the gradients of all float arguments, or as `array<i64: 0, 2>`
    for those of the arguments numbered. Float means a scalar, or a ranked tensor of
    elements, of type f64, f32, f16 or bf16.

    Output: for each function `@f`, a function `@f_vjp`. It takes the arguments of
    `@f`, then one cotangent (the derivative of some scalar by a result, of the
    result's type) for each float result, and returns one gradient (the derivative
    of that scalar by an argument, of the argument's type) for each argument asked
    for. Option `wrt` leaves out all gradients but those it numbers. The mark is
    removed.

    ```mlir
    func.func @f(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32>
        attributes {boostr.differentiate = array<i64: 1>} {
      %y = arith.mulf %x, %w : tensor<4xf32>
      return %y : tensor<4xf32>
    }
    // becomes @f and
    func.func @f_vjp(%x: tensor<4xf32>, %w: tensor<4xf32>, %dy: tensor<4xf32>)
        -> tensor<4xf32> {
      // linalg.generic: dw = dy * x
    }
    ```

    The gradients are computed backwards, op by op, through
    `DifferentiableOpInterface`, which any dialect may implement. Rules are given
    for the boostr ops, for float ops of `arith` and `math`, for reshapes, slices,
    casts, padding and concatenation of `tensor`, and for structured ops of
    `linalg`: all whose operands are read through projected permutations and which
    reduce, if they do, by sum, maximum or minimum. Where two values are the
    largest, the first has the gradient. Values used twice accumulate; an argument
    that no result depends on has a gradient of zeros; nothing is computed that no
    gradient needs. Sums over f16 and bf16 values are accumulated in f32 and rounded
    once. New computation on tensors is linalg with tensor operands.

    A call's gradient is a call to a private VJP function of the callee, made once
    for each set of gradients needed. That function computes again what it needs of
    the callee's forward values, so a call is a checkpoint; inline calls first to
    keep the values instead.

    An op with the unit attribute `boostr.stop_gradient` counts as a constant. It
    saves work where a derivative is known to vanish, as that of a softmax by the
    maximum that it subtracts.

    Leaves: the functions themselves but for the mark, and every other op.

    Fails: at an op on a path from an argument to a result that has no rule, naming
    it; at control flow and writes to memory there; at a function that has several
    blocks, no body, or buffers; on recursion; on a name, argument number or type
    that does not fit; and if the module has an `@f_vjp` already.

    Examples: `test/passes/differentiate/`.
  }];
  let options = [
    ListOption<"functions", "functions", "std::string",
      "names of functions to differentiate, beside those that are marked">,
    ListOption<"wrt", "wrt", "int64_t",
      "numbers of the arguments to return gradients of, of those that the "
      "functions' marks allow; all if empty">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect", "::mlir::boostr::BoostrDialect"];
}

//===----------------------------------------------------------------------===//
// passes/parallel
//===----------------------------------------------------------------------===//

def ParallelToRuntime : Pass<"boostr-parallel-to-runtime", "::mlir::ModuleOp"> {
  let summary = "Hand outermost parallel loops to the runtime's thread pool";
  let description = [{
    Input: `scf.parallel` without reductions, on memrefs.

    Output: for each outermost one a private function that runs one task, and a
    call of `boostr_parallel_for`. What the loop uses from outside is passed through
    a struct on the stack, in the types that the LLVM lowering gives it, of an array
    what its type leaves open; the casts in between vanish with
    `reconcile-unrealized-casts`.

    Iterations are numbered through all dimensions but the last, which stays a loop.
    A task runs as many as make up `grain` iterations of the loop body, or what the
    attribute `boostr.grain` of a loop says: that depends on extents alone,
    so results are the same for any number of threads.

    Leaves: parallel loops inside parallel loops, which run in one task.

    Fails: on a loop with reductions, or one that uses a value of a type without
    LLVM counterpart.

    Example: `test/passes/parallel/parallel-to-runtime.mlir`.
  }];
  let options = [
    Option<"grain", "grain", "int64_t", "8192",
           "Iterations of a loop body that are worth a task">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::scf::SCFDialect"];
}

def ConvertToLLVM : Pass<"boostr-convert-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Convert scalars, vectors, buffers and branches to the LLVM dialect at once";
  let description = [{
    Input: functions of `cf`, `arith`, `index`, `math`, `memref`, `amx`,
    `x86vector`, and of `vector` where an op has a lowering of its own, as those on
    vectors of one dimension do.

    Output: the `llvm` dialect. Memory comes from functions whose names say what
    they do, for the ABI to define: `_mlir_memref_to_llvm_alloc` and
    `_mlir_memref_to_llvm_free`. One conversion does what upstream's passes do for
    one dialect each, in half of the time, and leaves no casts between them.

    Leaves: ops that no pattern matches, among them math functions without an
    intrinsic and views that `expand-strided-metadata` expands.

    Fails: where an upstream conversion fails.

    Example: `test/passes/llvm/convert-to-llvm.mlir`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::amx::AMXDialect",
    "::mlir::x86vector::X86VectorDialect"];
}

def MarkEntryPoints : Pass<"boostr-mark-entry-points", "::mlir::ModuleOp"> {
  let summary = "Prepare public functions for callers in other languages";
  let description = [{
    Input: any module, before bufferization.

    Output: every public function with a body has `llvm.emit_c_interface`, and its
    tensor arguments have `bufferization.writable = false`: a caller's inputs are
    never written. A tensor that a function returns twice is copied, so that each
    result is a buffer of its own.

    Leaves: private and external functions, and a `bufferization.writable` that
    is there already.

    Fails: never.

    Example: `test/passes/export/mark-entry-points.mlir`.
  }];
  let dependentDialects = [
    "::mlir::bufferization::BufferizationDialect"];
}

def CreateShapeFunctions : Pass<"boostr-create-shape-functions", "::mlir::ModuleOp"> {
  let summary = "Add functions that check shapes and compute those of results";
  let description = [{
    Input: functions on ranked tensors.

    Output: beside each public function `@f` with a body, a private function
    `@f__shapes` of index arithmetic. It takes the extents of all arguments of
    `@f`, tensor by tensor, and returns a status and the extents of all results. The
    status is 0 if the ops in `@f` (and in what it calls) can run on these
    extents, or 1 + the number of the first constraint that is broken. The
    attribute `boostr.constraints` has each of them in words, as in

        dimension 1 of argument 1 'weight' equals dimension 2 of argument 0 'input'

    where the name of an argument is its `boostr.name` or that in its location.
    Static extents are not checked: they are part of the type.

    `@f` gets the attributes that `boostr-export-functions` reads when types are
    lowered away: `boostr.shapes`, the symbol `@f__shapes`; `boostr.signature`, the
    type; and `boostr.signature_names`, the names of arguments and results
    (`arg0`, ..., `result0`, ... where there are none).

    Constraints come from boostr ops, structured linalg ops, elementwise ops on
    tensors, `tensor.cast`, `tensor.concat`, `tensor.expand_shape`, slices at
    positions that depend on extents alone, and divisions that extents of results
    or operands of these depend on. Those that follow from types or from
    earlier constraints are left out. Extents
    are found through `ReifyRankedShapedTypeOpInterface`, destinations, calls, and
    loops and branches that preserve them.

    Leaves: `@f` but for the attributes; private and external functions.

    Fails: on an argument or result that is not a ranked tensor, has more than 8
    dimensions, or an element type that DLPack has no code for; on a function whose
    name is not fit for C (see `boostr-export-functions`); and at an op whose
    result's extents depend on more than the arguments' extents.

    Example: `test/passes/export/create-shape-functions.mlir`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
    "::mlir::boostr::BoostrDialect"];
}

def ExportFunctions : Pass<"boostr-export-functions", "::mlir::ModuleOp"> {
  let summary = "Give lowered functions their C interface";
  let description = [{
    Input: the LLVM dialect, lowered from functions that had been through
    `boostr-create-shape-functions` and had `llvm.emit_c_interface`, with results
    as trailing out parameters (`buffer-results-to-out-params`).

    Output: for each function `@f` with a `boostr.signature`, what
    boostr_runtime.h describes:

    | symbol | what it is |
    |--------|------------|
    | `f_function` | constant `boostr_function`: names, element types, extents, constraints, and pointers to `f__packed` and `f__extents` |
    | `f` | plain entry: pointers to memref descriptors, inputs then outputs; calls `boostr_invoke` |
    | `f_dlpack` | checked entry: calls `boostr_call` |
    | `boostr_module_functions` | constant array of pointers to each `f_function`, in the order of the module, and a null pointer at its end |

    With `variants` more than 1 the module is one of several that are compiled for
    different CPUs and linked together. `f_function` becomes `f__variant_<variant>`,
    which is hidden, and the first module alone has the symbols above: its
    `f_function` lists those of all modules, of which the runtime takes the one that
    suits the machine.

    These are the only symbols with external linkage that it adds. The lowered
    function becomes `@f__body`, and it, `@_mlir_ciface_f`, the shape function and
    all private functions become internal. The attributes that it reads are removed.

    Leaves: public functions without `boostr.signature`.

    Fails: on a function that was lowered otherwise, whose name is no
    identifier of C and C++, begins with `boostr_`, `_mlir_` or `__`, or is that of
    a function of the C library; and if one of the symbols above is taken.

    Example: `test/passes/export/export-functions.mlir`.
  }];
  let options = [
    Option<"cuda", "cuda", "bool", "false",
           "The functions are for CUDA devices, in whose memory tensors are">,
    Option<"variant", "variant", "int64_t", "0",
           "Which of `variants` the module is, from 0">,
    Option<"variants", "variants", "int64_t", "1",
           "How many modules, for different CPUs, are to be linked together">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // BOOSTR_PASSES_PASSES_TD
