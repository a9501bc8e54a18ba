// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-map-loops-to-gpu`: how parallel loops are spread over a GPU.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/ParallelLoopMapper.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_MAPLOOPSTOGPU
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct MapLoopsToGpu : boostr::impl::MapLoopsToGpuBase<MapLoopsToGpu> {
  using MapLoopsToGpuBase::MapLoopsToGpuBase;
  void runOnOperation() override;
};

} // namespace

static LogicalResult setProcessor(scf::ParallelOp loop,
                                  gpu::Processor processor) {
  auto identity = AffineMap::getMultiDimIdentityMap(1, loop.getContext());
  auto mapping = gpu::ParallelLoopDimMappingAttr::get(
      loop.getContext(), processor, identity, identity);
  return gpu::setMappingAttr(loop, {mapping});
}

/// Numbers all iterations through, the last dimension fastest.
static scf::ParallelOp collapse(IRRewriter &rewriter, scf::ParallelOp loop) {
  if (loop.getNumLoops() == 1)
    return loop;
  std::vector<unsigned> all(loop.getNumLoops());
  std::iota(all.begin(), all.end(), 0);
  // The new loop stands where the old one stood.
  Operation *next = loop->getNextNode();
  rewriter.setInsertionPoint(loop);
  collapseParallelLoops(rewriter, loop, {all});
  return cast<scf::ParallelOp>(next->getPrevNode());
}

void MapLoopsToGpu::runOnOperation() {
  if (blockSize < 1 || blockSize > 1024) {
    emitError(getOperation()->getLoc())
        << "'block-size' expected 1 to 1024 threads, got "
        << blockSize.getValue();
    return signalPassFailure();
  }
  SmallVector<scf::ParallelOp> loops;
  getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
    // What is a kernel already.
    if (isa<gpu::GPUModuleOp, gpu::LaunchOp>(op))
      return WalkResult::skip();
    auto loop = dyn_cast<scf::ParallelOp>(op);
    if (!loop)
      return WalkResult::advance();
    if (!loop->hasAttr(gpu::getMappingAttrName()))
      loops.push_back(loop);
    return WalkResult::skip();
  });
  IRRewriter rewriter(&getContext());
  for (scf::ParallelOp loop : loops) {
    if (!loop.getInitVals().empty()) {
      loop.emitOpError("has reductions, which threads cannot combine");
      return signalPassFailure();
    }
    // Inside, one thread runs all iterations.
    auto [blocks, threads] =
        scf::tileParallelLoop(collapse(rewriter, loop), {blockSize},
                              /*noMinMaxBounds=*/true);
    if (failed(setProcessor(blocks, gpu::Processor::BlockX)) ||
        failed(setProcessor(threads, gpu::Processor::ThreadX)))
      return signalPassFailure();
  }
}
