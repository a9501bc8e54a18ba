// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/Pipelines.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/RunWhere.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::boostr;

ArrayRef<CpuStage> mlir::boostr::getCpuStages() {
  static constexpr CpuStage stages[] = {CpuStage::Gradients, CpuStage::Tensors,
                                        CpuStage::Buffers,   CpuStage::Kernels,
                                        CpuStage::Loops,     CpuStage::Tasks,
                                        CpuStage::LLVM};
  return stages;
}

StringRef mlir::boostr::stringifyCpuStage(CpuStage stage) {
  switch (stage) {
  case CpuStage::Gradients:
    return "gradients";
  case CpuStage::Tensors:
    return "tensors";
  case CpuStage::Buffers:
    return "buffers";
  case CpuStage::Kernels:
    return "kernels";
  case CpuStage::Loops:
    return "loops";
  case CpuStage::Tasks:
    return "tasks";
  case CpuStage::LLVM:
    return "llvm";
  }
  return "";
}

// In flight: what the user wrote.
static void addGradients(OpPassManager &pm) {
  pm.addPass(createDifferentiate());
}

static void addCpuTarget(OpPassManager &pm, const CpuPipelineOptions &options) {
  SetCpuTargetOptions target;
  target.cpu = options.cpu;
  target.features = options.features;
  pm.addPass(createSetCpuTarget(target));
}

// In flight: boostr, linalg, tensor, arith, math, func.
static void addTensors(OpPassManager &pm, ContractionLowering contractions,
                       const CpuPipelineOptions *cpu) {
  // A result of dynamic shape can become an argument of entry points only,
  // whose callers know the shape.
  pm.addPass(createInlinerPass());
  pm.addPass(createSymbolDCEPass());
  pm.addPass(createCanonicalizerPass());
  if (cpu && !cpu->prepack.empty()) {
    addCpuTarget(pm, *cpu);
    PrepackWeightsOptions prepack;
    prepack.arguments.assign(cpu->prepack.begin(), cpu->prepack.end());
    pm.addPass(createPrepackWeights(prepack));
  }
  // Before anything is fused, while every extent is that of an op.
  pm.addPass(createCreateShapeFunctions());
  pm.addPass(createDecomposeLinalg());
  if (contractions == ContractionLowering::Linalg)
    pm.addPass(createConvertBoostrToLinalg());
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass());
  pm.addPass(createLinalgGeneralizeNamedOpsPass());
  pm.addPass(createFuseElementwise());
  // No common subexpressions from here on: ops that share one filled tensor as
  // their start would need copies of it.
  pm.addPass(createCanonicalizerPass());
}

// In flight: boostr (buffer form), linalg on memrefs, memref, arith, math,
// func.
static void addBuffers(OpPassManager &pm) {
  pm.addPass(createMarkEntryPoints());
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  bufferize.unknownTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  // A loop over layers carries results of boostr ops, which are new buffers.
  bufferize.allowReturnAllocsFromLoops = true;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  bufferization::BufferResultsToOutParamsPassOptions outParams;
  outParams.modifyPublicFunctions = true;
  outParams.hoistStaticAllocs = true;
  outParams.hoistDynamicAllocs = true;
  pm.addPass(bufferization::createBufferResultsToOutParamsPass(outParams));
  // Upstream's pipeline of deallocation, but for the last step.
  pm.addPass(bufferization::createOwnershipBasedBufferDeallocationPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(bufferization::createBufferDeallocationSimplificationPass());
  pm.addPass(createLowerDeallocations());
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
}

// In flight: the same, without boostr ops but with scf and vector.
static void addKernels(OpPassManager &pm, const CpuPipelineOptions &options) {
  addCpuTarget(pm, options);
  pm.addPass(createSelectCpuTile());
  pm.addPass(createGenerateCpu());
}

/// Simplifies much code in little time: what is left after all ops have been
/// visited once, those that it changes again, is not worth another round, and
/// from the bottom up most of what has no use is gone before it is looked at.
static std::unique_ptr<Pass> createQuickCanonicalizer() {
  GreedyRewriteConfig config;
  config.setUseTopDownTraversal(false).setMaxIterations(1);
  return createCanonicalizerPass(config);
}

// In flight: scf, memref, vector, arith, math, func.
static void addLoops(OpPassManager &pm) {
  pm.addPass(createLowerCopies());
  pm.addPass(createOrderLoops());
  // A third of what has been generated are constants, each of them often.
  pm.addPass(createCSEPass());
  addPassForDialect<linalg::LinalgDialect>(
      pm, createConvertLinalgToParallelLoopsPass());
  pm.addPass(createQuickCanonicalizer());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
}

// In flight: the same, with LLVM pointers between tasks and their callers.
static void addTasks(OpPassManager &pm, const CpuPipelineOptions &options) {
  ParallelToRuntimeOptions tasks;
  tasks.grain = options.grain;
  pm.addPass(createParallelToRuntime(tasks));
}

/// True for what may become a call of a library.
static bool isMathFunction(Operation *op) {
  return isa_and_nonnull<math::MathDialect>(op->getDialect()) &&
         !isa<math::FmaOp>(op);
}

/// True for ops on vectors that are lowered to others first. Of boostr ops only
/// those on pairs of bf16 without AMX have some.
static bool needsVectorLowering(Operation *op) {
  auto isSimple = [](Type type) {
    auto vector = dyn_cast<VectorType>(type);
    return !vector || (vector.getRank() == 1 && !vector.isScalable());
  };
  // Not between vectors.
  if (auto broadcast = dyn_cast<vector::BroadcastOp>(op))
    return isa<VectorType>(broadcast.getSourceType()) ||
           !isSimple(broadcast.getType());
  return isa_and_nonnull<vector::VectorDialect>(op->getDialect()) &&
         !(isa<vector::LoadOp, vector::StoreOp, vector::BitCastOp,
               vector::FMAOp, vector::ShuffleOp, vector::ReductionOp,
               vector::InterleaveOp>(op) &&
           llvm::all_of(op->getOperandTypes(), isSimple) &&
           llvm::all_of(op->getResultTypes(), isSimple));
}

// In flight: llvm.
static void addLLVM(OpPassManager &pm, const ExportFunctionsOptions &exported) {
  addPassFor<vector::TransferReadOp, vector::TransferWriteOp>(
      pm, createConvertVectorToSCFPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createLowerExpandShapes());
  addPassFor<memref::SubViewOp, memref::ExpandShapeOp, memref::CollapseShapeOp>(
      pm, memref::createExpandStridedMetadataPass());
  addPassForDialect<affine::AffineDialect>(pm, createLowerAffinePass());
  // Intrinsics where LLVM has them: some become instructions, and libm has no
  // rsqrt to call.
  addPassWhere(pm, isMathFunction, math::createMathExtendToSupportedTypes());
  addPassWhere(pm, isMathFunction, createConvertMathToLLVMPass());
  addPassWhere(pm, isMathFunction, createConvertMathToLibmPass());
  // LLVM rounds to bf16 by a library call where the CPU has no instruction.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  addPassWhere(pm, needsVectorLowering, createConvertVectorToLLVMPass());
  pm.addPass(createConvertToLLVM());
  addPassFor<LLVM::CallIntrinsicOp>(pm, createHintTileLoads());
  pm.addPass(createQuickCanonicalizer());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createExportFunctions(exported));
}

void mlir::boostr::addCpuStage(OpPassManager &pm, CpuStage stage,
                               const CpuPipelineOptions &options) {
  switch (stage) {
  case CpuStage::Gradients:
    return addGradients(pm);
  case CpuStage::Tensors:
    return addTensors(pm, options.contractions, &options);
  case CpuStage::Buffers:
    return addBuffers(pm);
  case CpuStage::Kernels:
    return addKernels(pm, options);
  case CpuStage::Loops:
    return addLoops(pm);
  case CpuStage::Tasks:
    return addTasks(pm, options);
  case CpuStage::LLVM: {
    ExportFunctionsOptions exported;
    exported.variant = options.variant;
    exported.variants = options.variants;
    return addLLVM(pm, exported);
  }
  }
}

void mlir::boostr::buildCpuPipeline(OpPassManager &pm,
                                    const CpuPipelineOptions &options) {
  for (CpuStage stage : getCpuStages()) {
    addCpuStage(pm, stage, options);
    if (stage == options.stopAfter)
      return;
  }
}

//===----------------------------------------------------------------------===//
// CUDA
//===----------------------------------------------------------------------===//

ArrayRef<CudaStage> mlir::boostr::getCudaStages() {
  static constexpr CudaStage stages[] = {
      CudaStage::Gradients, CudaStage::Tensors, CudaStage::Buffers,
      CudaStage::Kernels,   CudaStage::Loops,   CudaStage::Device,
      CudaStage::LLVM};
  return stages;
}

StringRef mlir::boostr::stringifyCudaStage(CudaStage stage) {
  switch (stage) {
  case CudaStage::Gradients:
    return "gradients";
  case CudaStage::Tensors:
    return "tensors";
  case CudaStage::Buffers:
    return "buffers";
  case CudaStage::Kernels:
    return "kernels";
  case CudaStage::Loops:
    return "loops";
  case CudaStage::Device:
    return "device";
  case CudaStage::LLVM:
    return "llvm";
  }
  return "";
}

// In flight: linalg on memrefs, memref, arith, math, func; gpu, llvm and nvvm.
static void addCudaKernels(OpPassManager &pm,
                           const CudaPipelineOptions &options) {
  // What launches kernels runs on any CPU.
  SetCpuTargetOptions host;
  host.cpu = "x86-64";
  pm.addPass(createSetCpuTarget(host));
  SetGpuTargetOptions target;
  target.chip = options.chip;
  target.features = options.features;
  pm.addPass(createSetGpuTarget(target));
  pm.addPass(createConstantsToDevice());
  SelectGpuTileOptions tiles;
  tiles.f32Precision = options.f32Precision;
  tiles.gemm = options.gemm;
  pm.addPass(createSelectGpuTile(tiles));
  pm.addPass(createGenerateGpu());
}

// In flight: memref, arith and func on the host; scf, memref, arith, math, gpu,
// llvm and nvvm in gpu.modules.
static void addCudaLoops(OpPassManager &pm,
                         const CudaPipelineOptions &options) {
  pm.addPass(createLowerCopies());
  pm.addPass(createLinalgToThreads());
  MapLoopsToGpuOptions map;
  map.blockSize = options.blockSize;
  pm.addPass(createMapLoopsToGpu(map));
  pm.addPass(createConvertParallelLoopToGpuPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createScalarsToDevice());
  pm.addPass(createGpuLaunchSinkIndexComputationsPass());
  pm.addPass(createGpuKernelOutliningPass());
  pm.addPass(createUnifyKernels());
  pm.addPass(createCheckDeviceMemory());
}

void mlir::boostr::addKernelLowering(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createConvertVectorToSCFPass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(createLowerExpandShapes());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(math::createMathExtendToSupportedTypes());
  kernels.addPass(arith::createArithExpandOpsPass());
  kernels.addPass(createConvertNVGPUToNVVMPass());
  kernels.addPass(createConvertGpuOpsToNVVMOps());
  kernels.addPass(createConvertNVVMToLLVMPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
}

// In flight: memref, arith and func on the host; gpu.binary.
static void addCudaDevice(OpPassManager &pm,
                          const CudaPipelineOptions &options) {
  if (options.splitKernels)
    pm.addPass(createSplitKernels());
  addKernelLowering(pm);
  GpuToBinaryOptions binary;
  binary.images = options.images;
  binary.ptxas = options.ptxas;
  binary.ptxasOptions = options.ptxasOptions;
  binary.printReport = options.report;
  pm.addPass(createGpuToBinary(binary));
}

// In flight: llvm.
static void addCudaLLVM(OpPassManager &pm) {
  pm.addPass(createGpuToRuntime());
  ExportFunctionsOptions exported;
  exported.cuda = true;
  addLLVM(pm, exported);
}

void mlir::boostr::addCudaStage(OpPassManager &pm, CudaStage stage,
                                const CudaPipelineOptions &options) {
  switch (stage) {
  case CudaStage::Gradients:
    return addGradients(pm);
  case CudaStage::Tensors:
    return addTensors(pm, options.contractions, /*cpu=*/nullptr);
  case CudaStage::Buffers:
    return addBuffers(pm);
  case CudaStage::Kernels:
    return addCudaKernels(pm, options);
  case CudaStage::Loops:
    return addCudaLoops(pm, options);
  case CudaStage::Device:
    return addCudaDevice(pm, options);
  case CudaStage::LLVM:
    return addCudaLLVM(pm);
  }
}

void mlir::boostr::buildCudaPipeline(OpPassManager &pm,
                                     const CudaPipelineOptions &options) {
  for (CudaStage stage : getCudaStages()) {
    addCudaStage(pm, stage, options);
    if (stage == options.stopAfter)
      return;
  }
}

void mlir::boostr::registerPipelines() {
  PassPipelineRegistration<CudaPipelineOptions>(
      "boostr-cuda-pipeline",
      "From boostr, linalg and tensor ops to the LLVM dialect for a CUDA "
      "device, with checked entries for every public function",
      buildCudaPipeline);
  PassPipelineRegistration<>(
      "boostr-lower-kernels",
      "From scf, memref, vector, arith, math and gpu ops in gpu.modules to the "
      "LLVM and NVVM dialects",
      addKernelLowering);
  PassPipelineRegistration<CpuPipelineOptions>(
      "boostr-cpu-pipeline",
      "From boostr, linalg and tensor ops to the LLVM dialect for a CPU, with "
      "checked entries for every public function",
      buildCpuPipeline);
}
