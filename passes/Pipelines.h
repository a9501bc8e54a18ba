// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipelines: which passes run, in which order. Every tool runs these
// functions, and `boostr-opt` knows them by name.

#ifndef BOOSTR_PASSES_PIPELINES_H
#define BOOSTR_PASSES_PIPELINES_H

#include "boostr/passes/Passes.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace mlir::boostr {

/// The stages of `boostr-cpu-pipeline`, in order. Each is named after what the
/// module consists of when it ends.
enum class CpuStage {
  Gradients,
  Tensors,
  Buffers,
  Kernels,
  Loops,
  Tasks,
  LLVM
};

/// All of them, in order.
llvm::ArrayRef<CpuStage> getCpuStages();

/// The name of a stage on command lines, as in `buffers`.
llvm::StringRef stringifyCpuStage(CpuStage stage);

/// What becomes of the contractions that boostr ops are.
enum class ContractionLowering {
  /// Packed, tiled vector code by `boostr-generate-cpu`.
  Generated,
  /// Plain loops, by way of linalg: slow, and independent of our code
  /// generator.
  Linalg,
};

struct CpuPipelineOptions : PassPipelineOptions<CpuPipelineOptions> {
  Option<std::string> cpu{*this, "cpu",
                          llvm::cl::desc("LLVM's name of the CPU to generate "
                                         "code for, or 'native'"),
                          llvm::cl::init("native")};
  Option<std::string> features{
      *this, "features",
      llvm::cl::desc(
          "LLVM features to add or remove, as in +avx512f,-amx-tile"),
      llvm::cl::init("")};
  Option<ContractionLowering> contractions{
      *this, "contractions", llvm::cl::desc("How boostr ops are lowered"),
      llvm::cl::init(ContractionLowering::Generated),
      llvm::cl::values(clEnumValN(ContractionLowering::Generated, "generated",
                                  "packed, tiled vector code"),
                       clEnumValN(ContractionLowering::Linalg, "linalg",
                                  "plain loops by way of linalg"))};
  Option<int64_t> grain{
      *this, "grain",
      llvm::cl::desc("Iterations of a loop body that are worth a task"),
      llvm::cl::init(8192)};
  Option<int64_t> variant{*this, "variant",
                          llvm::cl::desc("Which of 'variants' this is, from 0"),
                          llvm::cl::init(0)};
  Option<int64_t> variants{
      *this, "variants",
      llvm::cl::desc("How many modules, each for another CPU, are to be linked "
                     "into one whose functions choose when they are called"),
      llvm::cl::init(1)};
  ListOption<std::string> prepack{
      *this, "prepack",
      llvm::cl::desc("Names of arguments, weights, that functions beside the "
                     "public ones take packed")};
  Option<CpuStage> stopAfter{
      *this, "stop-after", llvm::cl::desc("The last stage to run"),
      llvm::cl::init(CpuStage::LLVM),
      llvm::cl::values(
          clEnumValN(CpuStage::Gradients, "gradients",
                     "functions marked for it have their VJP functions"),
          clEnumValN(CpuStage::Tensors, "tensors",
                     "boostr, linalg and tensor ops, simplified"),
          clEnumValN(CpuStage::Buffers, "buffers",
                     "the same on memrefs, results as arguments"),
          clEnumValN(CpuStage::Kernels, "kernels",
                     "boostr ops replaced by loops and vectors"),
          clEnumValN(CpuStage::Loops, "loops", "linalg ops replaced by loops"),
          clEnumValN(CpuStage::Tasks, "tasks",
                     "parallel loops replaced by calls of the runtime"),
          clEnumValN(CpuStage::LLVM, "llvm",
                     "the LLVM dialect, with the exported entries"))};
};

/// Adds the passes of one stage.
void addCpuStage(OpPassManager &pm, CpuStage stage,
                 const CpuPipelineOptions &options);

/// `boostr-cpu-pipeline`: from boostr, linalg, tensor, arith and math ops on
/// tensors to the LLVM dialect, with the entries that runtime/boostr_runtime.h
/// describes.
void buildCpuPipeline(OpPassManager &pm, const CpuPipelineOptions &options);

/// The stages of `boostr-cuda-pipeline`, in order.
enum class CudaStage {
  Gradients,
  Tensors,
  Buffers,
  Kernels,
  Loops,
  Device,
  LLVM
};

/// All of them, in order.
llvm::ArrayRef<CudaStage> getCudaStages();

/// The name of a stage on command lines, as in `buffers`.
llvm::StringRef stringifyCudaStage(CudaStage stage);

struct CudaPipelineOptions : PassPipelineOptions<CudaPipelineOptions> {
  Option<std::string> chip{*this, "chip",
                           llvm::cl::desc("LLVM's name of the GPU to generate "
                                          "code for, as in sm_90a"),
                           llvm::cl::init("sm_90a")};
  Option<std::string> features{
      *this, "features",
      llvm::cl::desc("LLVM features to add or remove, as in +ptx83"),
      llvm::cl::init("")};
  Option<ContractionLowering> contractions{
      *this, "contractions", llvm::cl::desc("How boostr ops are lowered"),
      llvm::cl::init(ContractionLowering::Generated),
      llvm::cl::values(clEnumValN(ContractionLowering::Generated, "generated",
                                  "kernels of our own"),
                       clEnumValN(ContractionLowering::Linalg, "linalg",
                                  "plain loops by way of linalg"))};
  Option<F32Precision> f32Precision{
      *this, "f32-precision",
      llvm::cl::desc("How products of f32 are computed"),
      llvm::cl::init(F32Precision::Ieee),
      llvm::cl::values(
          clEnumValN(F32Precision::Ieee, "ieee", "fused multiply-adds of f32"),
          clEnumValN(F32Precision::Tf32, "tf32",
                     "tensor cores, operands rounded to 11 bits"),
          clEnumValN(F32Precision::Tf32x3, "tf32x3",
                     "tensor cores, three products of 11 bits"))};
  Option<Gemm> gemm{
      *this, "gemm", llvm::cl::desc("What computes matrix products"),
      llvm::cl::init(Gemm::Generated),
      llvm::cl::values(
          clEnumValN(Gemm::Generated, "generated", "kernels of our own"),
          clEnumValN(Gemm::Cublaslt, "cublaslt",
                     "cuBLASLt, where it has such products"),
          clEnumValN(Gemm::Auto, "auto",
                     "whichever was measured to be faster"))};
  Option<int64_t> blockSize{
      *this, "block-size",
      llvm::cl::desc("Threads of a block for what is no contraction"),
      llvm::cl::init(256)};
  Option<bool> splitKernels{
      *this, "split-kernels",
      llvm::cl::desc("Large kernels in modules of their own, compiled side by "
                     "side"),
      llvm::cl::init(true)};
  Option<GpuImages> images{
      *this, "images", llvm::cl::desc("Forms of machine code to make"),
      llvm::cl::init(GpuImages::All),
      llvm::cl::values(
          clEnumValN(GpuImages::All, "all",
                     "cubin, and PTX where it runs on later chips"),
          clEnumValN(GpuImages::Cubin, "cubin", "cubin only, of one chip"),
          clEnumValN(GpuImages::Ptx, "ptx", "PTX only, without ptxas"))};
  Option<std::string> ptxas{*this, "ptxas", llvm::cl::desc("Path of ptxas"),
                            llvm::cl::init("")};
  Option<std::string> ptxasOptions{*this, "ptxas-options",
                                   llvm::cl::desc("Options for ptxas"),
                                   llvm::cl::init("")};
  Option<bool> report{
      *this, "report",
      llvm::cl::desc("Remark at each kernel which registers it uses"),
      llvm::cl::init(false)};
  Option<CudaStage> stopAfter{
      *this, "stop-after", llvm::cl::desc("The last stage to run"),
      llvm::cl::init(CudaStage::LLVM),
      llvm::cl::values(
          clEnumValN(CudaStage::Gradients, "gradients",
                     "functions marked for it have their VJP functions"),
          clEnumValN(CudaStage::Tensors, "tensors",
                     "boostr, linalg and tensor ops, simplified"),
          clEnumValN(CudaStage::Buffers, "buffers",
                     "the same on memrefs, results as arguments"),
          clEnumValN(CudaStage::Kernels, "kernels",
                     "boostr ops replaced by kernels and their launches"),
          clEnumValN(CudaStage::Loops, "loops",
                     "linalg ops replaced by kernels and their launches"),
          clEnumValN(CudaStage::Device, "device",
                     "kernels replaced by machine code"),
          clEnumValN(CudaStage::LLVM, "llvm",
                     "the LLVM dialect, with the exported entries"))};
};

/// Adds the passes of one stage.
void addCudaStage(OpPassManager &pm, CudaStage stage,
                  const CudaPipelineOptions &options);

/// `boostr-cuda-pipeline`: the same for CUDA devices. Tensors, those in between
/// included, are in memory of the device.
void buildCudaPipeline(OpPassManager &pm, const CudaPipelineOptions &options);

/// Adds what lowers kernels in `gpu.module`s, of scf, memref, vector, arith,
/// math, gpu, nvvm and llvm, to the LLVM and NVVM dialects.
void addKernelLowering(OpPassManager &pm);

/// Registers the pipelines by name.
void registerPipelines();

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_PIPELINES_H
