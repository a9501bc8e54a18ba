// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/Pipelines.h"
#include "boostr/passes/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::boostr;

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

// In flight: boostr, linalg, tensor, arith, math, func.
static void addTensors(OpPassManager &pm, const CpuPipelineOptions &options) {
  // A result of dynamic shape can become an argument of entry points only,
  // whose callers know the shape.
  pm.addPass(createInlinerPass());
  pm.addPass(createSymbolDCEPass());
  pm.addPass(createCanonicalizerPass());
  // Before anything is fused, while every extent is that of an op.
  pm.addPass(createCreateShapeFunctions());
  pm.addPass(createDecomposeLinalg());
  if (options.contractions == ContractionLowering::Linalg)
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
  bufferization::buildBufferDeallocationPipeline(
      pm, bufferization::BufferDeallocationPipelineOptions());
  pm.addPass(createCanonicalizerPass());
}

// In flight: the same, without boostr ops but with scf and vector.
static void addKernels(OpPassManager &pm, const CpuPipelineOptions &options) {
  SetCpuTargetOptions target;
  target.cpu = options.cpu;
  target.features = options.features;
  pm.addPass(createSetCpuTarget(target));
  pm.addPass(createSelectCpuTile());
  pm.addPass(createGenerateCpu());
}

// In flight: scf, memref, vector, arith, math, func.
static void addLoops(OpPassManager &pm) {
  pm.addPass(createLowerCopies());
  pm.addPass(createOrderLoops());
  pm.addPass(createConvertLinalgToParallelLoopsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
}

// In flight: the same, with LLVM pointers between tasks and their callers.
static void addTasks(OpPassManager &pm, const CpuPipelineOptions &options) {
  ParallelToRuntimeOptions tasks;
  tasks.grain = options.grain;
  pm.addPass(createParallelToRuntime(tasks));
}

// In flight: llvm.
static void addLLVM(OpPassManager &pm) {
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createLowerExpandShapes());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(math::createMathExtendToSupportedTypes());
  // Intrinsics where LLVM has them: some become instructions, and libm has no
  // rsqrt to call.
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  // LLVM rounds to bf16 by a library call where the CPU has no instruction.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  FinalizeMemRefToLLVMConversionPassOptions memory;
  memory.useGenericFunctions = true;
  pm.addPass(createFinalizeMemRefToLLVMConversionPass(memory));
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createExportFunctions());
}

void mlir::boostr::addCpuStage(OpPassManager &pm, CpuStage stage,
                               const CpuPipelineOptions &options) {
  switch (stage) {
  case CpuStage::Gradients:
    return addGradients(pm);
  case CpuStage::Tensors:
    return addTensors(pm, options);
  case CpuStage::Buffers:
    return addBuffers(pm);
  case CpuStage::Kernels:
    return addKernels(pm, options);
  case CpuStage::Loops:
    return addLoops(pm);
  case CpuStage::Tasks:
    return addTasks(pm, options);
  case CpuStage::LLVM:
    return addLLVM(pm);
  }
}

void mlir::boostr::buildCpuPipeline(OpPassManager &pm,
                                    const CpuPipelineOptions &options) {
  for (CpuStage stage :
       {CpuStage::Gradients, CpuStage::Tensors, CpuStage::Buffers,
        CpuStage::Kernels, CpuStage::Loops, CpuStage::Tasks, CpuStage::LLVM}) {
    addCpuStage(pm, stage, options);
    if (stage == options.stopAfter)
      return;
  }
}

void mlir::boostr::registerPipelines() {
  PassPipelineRegistration<CpuPipelineOptions>(
      "boostr-cpu-pipeline",
      "From boostr, linalg and tensor ops to the LLVM dialect for a CPU, with "
      "checked entries for every public function",
      buildCpuPipeline);
}
