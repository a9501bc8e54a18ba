// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-generate-cpu`: code for boostr ops in buffer form.

#include "boostr/passes/Passes.h"
#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/PackedLayout.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_GENERATECPU
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct GenerateCpu : boostr::impl::GenerateCpuBase<GenerateCpu> {
  using GenerateCpuBase::GenerateCpuBase;
  void runOnOperation() override;
};

} // namespace

/// A weight that was packed ahead of time must be packed as the op wants it.
static LogicalResult
checkPackedOperands(SegmentedContractionOpInterface op,
                    const SegmentedContraction &contraction, CpuTileAttr tile) {
  for (const ContractionSegment &segment : contraction.segments)
    for (const ContractionTerm &term : segment.terms) {
      if (term.lhs.array.getDefiningOp<PackedArrayOp>())
        return op->emitOpError(
            "expected the right operand of its product alone to be packed");
      auto packed = term.rhs.array.getDefiningOp<PackedArrayOp>();
      if (!packed)
        continue;
      PackedLayoutAttr layout = packed.getLayout();
      PackedLayoutAttr expected =
          cpu::getPackedLayout(contraction, layout.getArray(), tile);
      if (layout != expected)
        return op->emitOpError() << "expected its weight packed as " << expected
                                 << ", got " << layout;
    }
  return success();
}

/// Erases what no one uses any more.
static void eraseIfDead(Operation *op) {
  for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
    eraseIfDead(user);
  if (isOpTriviallyDead(op))
    op->erase();
}

/// Packs arrays, and removes the names of those that were packed before.
static LogicalResult generatePacking(ModuleOp module) {
  SmallVector<PackArrayOp> packs;
  SmallVector<PackedArrayOp> views;
  module.walk([&](PackArrayOp op) { packs.push_back(op); });
  module.walk([&](PackedArrayOp op) { views.push_back(op); });
  for (PackArrayOp op : packs) {
    if (!op.getOut())
      return op->emitOpError("expected the buffer form, on memrefs, got the "
                             "value form; bufferize before generating code");
    ImplicitLocOpBuilder b(op.getLoc(), op);
    cpu::emitPackArray(b, op);
    op->erase();
  }
  for (PackedArrayOp op : views) {
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      eraseIfDead(user);
    if (!op->use_empty())
      return (*op->user_begin())
          ->emitOpError("cannot use a packed weight: expected boostr ops alone "
                        "to use it");
    op->erase();
  }
  return success();
}

static LogicalResult generate(SegmentedContractionOpInterface op,
                              int64_t minTaskWork) {
  if (!op.isBufferForm())
    return op->emitOpError(
        "expected the buffer form, on memrefs, got the value "
        "form; bufferize before generating code");
  StringRef name = BoostrDialect::getCpuTileAttrName();
  auto tile = op->getAttrOfType<CpuTileAttr>(name);
  if (!tile)
    return op->emitOpError() << "expected an attribute '" << name
                             << "'; run boostr-select-cpu-tile before";
  if (!llvm::isPowerOf2_64(tile.getLanes()))
    return op->emitOpError()
           << "'" << name << "' expected 'lanes' a power of two, got "
           << tile.getLanes();
  Type elementType = getElementTypeOrSelf(op->getOperand(0));
  if (multipliesPairs(tile.getKernel()) && !elementType.isBF16())
    return op->emitOpError()
           << "'" << name
           << "' expected elements of type 'bf16' with 'kernel' = "
           << stringifyCpuKernel(tile.getKernel()) << ", got " << elementType;

  ImplicitLocOpBuilder b(op.getLoc(), op);
  for (const SegmentedContraction &contraction : op.getContractions())
    if (failed(checkPackedOperands(op, contraction, tile)))
      return failure();
  for (const SegmentedContraction &contraction : op.getContractions())
    cpu::ContractionEmitter(b, op, contraction, tile, minTaskWork).emit();
  op->erase();
  return success();
}

void GenerateCpu::runOnOperation() {
  if (minTaskWork < 1) {
    getOperation()->emitError() << "'min-task-work' expected at least 1, got "
                                << minTaskWork.getValue();
    return signalPassFailure();
  }
  SmallVector<SegmentedContractionOpInterface> ops;
  getOperation()->walk(
      [&](SegmentedContractionOpInterface op) { ops.push_back(op); });
  for (SegmentedContractionOpInterface op : ops)
    if (failed(generate(op, minTaskWork)))
      return signalPassFailure();
  if (failed(generatePacking(getOperation())))
    signalPassFailure();
}
