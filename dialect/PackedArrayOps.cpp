// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights packed ahead of time: verification, effects and bufferization.

#include "boostr/dialect/BoostrOps.h"
#include "boostr/dialect/ShapeCheck.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::bufferization;

/// That `array` and `packed` are as `layout` says, both tensors or memrefs.
static LogicalResult verifyPacking(Operation *op, Type array, StringRef name,
                                   Type packed, PackedLayoutAttr layout) {
  auto emitError = [&] { return op->emitOpError(); };
  RankedTensorType expected = layout.getArray();
  if (failed(expectShape(emitError, "array", array, expected.getShape())) ||
      failed(expectElementType(emitError, "array", array,
                               expected.getElementType())) ||
      failed(expectShape(emitError, name, packed, {layout.getBytes()})))
    return failure();
  if (cast<ShapedType>(packed).hasStaticShape() &&
      cast<ShapedType>(array).hasStaticShape() &&
      isa<MemRefType>(array) == isa<MemRefType>(packed))
    return success();
  return emitError() << "'array' and '" << name
                     << "' expected static tensors or memrefs, got " << array
                     << " and " << packed;
}

//===----------------------------------------------------------------------===//
// pack_array
//===----------------------------------------------------------------------===//

LogicalResult PackArrayOp::verify() {
  if (bool(getOut()) == bool(getPacked()))
    return emitOpError("expected 'out' or a result, and not both");
  if (getOut())
    return verifyPacking(*this, getArray().getType(), "out", getOut().getType(),
                         getLayout());
  return verifyPacking(*this, getArray().getType(), "packed",
                       getPacked().getType(), getLayout());
}

void PackArrayOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  if (!getOut())
    return;
  effects.emplace_back(MemoryEffects::Read::get(), &getArrayMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &*getOutMutable().begin());
}

bool PackArrayOp::bufferizesToAllocation(Value) { return true; }

bool PackArrayOp::bufferizesToMemoryRead(OpOperand &, const AnalysisState &) {
  return true;
}

bool PackArrayOp::bufferizesToMemoryWrite(OpOperand &, const AnalysisState &) {
  return false;
}

AliasingValueList PackArrayOp::getAliasingValues(OpOperand &,
                                                 const AnalysisState &) {
  return {};
}

LogicalResult PackArrayOp::bufferize(RewriterBase &rewriter,
                                     const BufferizationOptions &options,
                                     BufferizationState &state) {
  if (getOut())
    return success();
  FailureOr<Value> array = getBuffer(rewriter, getArray(), options, state);
  if (failed(array))
    return failure();
  auto type = MemRefType::get({getLayout().getBytes()}, rewriter.getI8Type());
  FailureOr<Value> out =
      options.createAlloc(rewriter, getLoc(), type, /*dynShape=*/ValueRange());
  if (failed(out))
    return failure();
  PackArrayOp::create(rewriter, getLoc(), /*packed=*/Type(), *array, *out,
                      getLayout());
  replaceOpWithBufferizedValues(rewriter, *this, *out);
  return success();
}

//===----------------------------------------------------------------------===//
// packed_array
//===----------------------------------------------------------------------===//

LogicalResult PackedArrayOp::verify() {
  return verifyPacking(*this, getArray().getType(), "packed",
                       getPacked().getType(), getLayout());
}

Value PackedArrayOp::getViewSource() { return getPacked(); }

bool PackedArrayOp::bufferizesToMemoryRead(OpOperand &, const AnalysisState &) {
  return true;
}

bool PackedArrayOp::bufferizesToMemoryWrite(OpOperand &,
                                            const AnalysisState &) {
  return false;
}

AliasingValueList PackedArrayOp::getAliasingValues(OpOperand &,
                                                   const AnalysisState &) {
  return {{getOperation()->getResult(0), BufferRelation::Unknown}};
}

LogicalResult PackedArrayOp::bufferize(RewriterBase &rewriter,
                                       const BufferizationOptions &options,
                                       BufferizationState &state) {
  if (isa<MemRefType>(getPacked().getType()))
    return success();
  FailureOr<Value> packed = getBuffer(rewriter, getPacked(), options, state);
  if (failed(packed))
    return failure();
  RankedTensorType array = getLayout().getArray();
  auto type = MemRefType::get(array.getShape(), array.getElementType());
  replaceOpWithNewBufferizedOp<PackedArrayOp>(rewriter, *this, type, *packed,
                                              getLayout());
  return success();
}
