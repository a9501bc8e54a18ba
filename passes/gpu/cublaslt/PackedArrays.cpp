// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/cublaslt/PackedArrays.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::cublaslt;

//===----------------------------------------------------------------------===//
// How parts lie
//===----------------------------------------------------------------------===//

static MemRefType getMemRefType(const ContractionOperand &operand) {
  return cast<MemRefType>(operand.array.getType());
}

/// Whether neighbours along the last dimension are known to be neighbours in
/// memory.
static bool isCompactInside(const ContractionOperand &operand) {
  MemRefType type = getMemRefType(operand);
  SmallVector<int64_t> strides;
  int64_t offset;
  return type.getRank() > 0 &&
         succeeded(type.getStridesAndOffset(strides, offset)) &&
         strides.back() == 1;
}

bool mlir::boostr::cublaslt::followEachOther(ArrayRef<MatrixPart> parts) {
  for (size_t number = 1; number < parts.size(); ++number) {
    const ContractionOperand &before = parts[number - 1].operand,
                             &part = parts[number].operand;
    if (before.array != part.array || !before.rows || !part.rows ||
        part.rows->offset != before.rows->offset + before.rows->getNumRows())
      return false;
  }
  return isCompactInside(parts.front().operand);
}

bool MatrixParts::runsAlongColumns() const {
  return runsAlong(parts.front().operand, columns.back());
}

bool MatrixParts::isMatrix() const {
  const ContractionOperand &operand = parts.front().operand;
  return canBePacked() && followEachOther(parts) && isFlat(operand, rows) &&
         isFlat(operand, columns);
}

bool MatrixParts::canBePacked() const {
  return runsAlongColumns() || runsAlong(parts.front().operand, rows.back());
}

Matrix mlir::boostr::cublaslt::getMatrix(ImplicitLocOpBuilder &b,
                                         const MatrixParts &parts) {
  const ContractionOperand &operand = parts.parts.front().operand;
  StridedArray array =
      StridedArray::get(b, operand.array, operand.rows, operand.map);
  return {array.flat, array.strides[parts.rows.back()],
          array.strides[parts.columns.back()]};
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Dimensions from line to line of a copy, and along its lines.
static std::pair<ArrayRef<unsigned>, ArrayRef<unsigned>>
getLines(const MatrixParts &parts) {
  if (parts.runsAlongColumns())
    return {parts.rows, parts.columns};
  return {parts.columns, parts.rows};
}

static OpFoldResult getProduct(ImplicitLocOpBuilder &b,
                               ArrayRef<OpFoldResult> extents,
                               ArrayRef<unsigned> dims) {
  OpFoldResult product = b.getIndexAttr(1);
  for (unsigned dim : dims)
    product = mul(b, product, extents[dim]);
  return product;
}

/// The most elements, in pieces of up to 16 bytes, that can be copied at once.
static int64_t getLanes(const ContractionOperand &operand,
                        ArrayRef<unsigned> dims) {
  for (int64_t lanes : {8, 4, 2})
    if (isContiguousInChunks(operand, dims, lanes))
      return lanes;
  return 1;
}

Matrix PackedArrays::allocate(const SegmentedContraction &contraction,
                              const MatrixParts &parts) {
  auto [lines, along] = getLines(parts);
  OpFoldResult length = b.getIndexAttr(0), count;
  for (const MatrixPart &part : parts.parts) {
    SmallVector<OpFoldResult> extents =
        getExtents(b, b.getLoc(), contraction, *part.term);
    length = add(b, length, getProduct(b, extents, along));
    count = getProduct(b, extents, lines);
  }
  MemRefType arrayType = getMemRefType(parts.parts.front().operand);
  auto type =
      MemRefType::get({ShapedType::kDynamic}, arrayType.getElementType(),
                      AffineMap(), arrayType.getMemorySpace());
  Value size = toValue(b, mul(b, count, length));
  Value memory = memref::AllocOp::create(b, type, size);
  allocated.push_back(memory);
  Matrix matrix{memory, b.getIndexAttr(1), length};
  if (parts.runsAlongColumns())
    std::swap(matrix.rowStride, matrix.columnStride);
  return matrix;
}

/// The offset of element `position` of dimensions `dims` in an array.
static Value getOffset(ImplicitLocOpBuilder &b, OpFoldResult first,
                       ArrayRef<OpFoldResult> strides, ArrayRef<unsigned> dims,
                       ValueRange position) {
  OpFoldResult offset = first;
  for (auto [dim, index] : llvm::zip_equal(dims, position))
    offset = add(b, offset, mul(b, index, strides[dim]));
  return toValue(b, offset);
}

void PackedArrays::copyParts(const SegmentedContraction &contraction,
                             const MatrixParts &parts, const Matrix &matrix,
                             bool isPacking) {
  auto [lines, along] = getLines(parts);
  SmallVector<unsigned> dims(lines);
  llvm::append_range(dims, along);
  OpFoldResult length =
      parts.runsAlongColumns() ? matrix.rowStride : matrix.columnStride;
  OpFoldResult first = b.getIndexAttr(0), zero = first;
  for (const MatrixPart &part : parts.parts) {
    StridedArray array = StridedArray::get(b, part.operand.array,
                                           part.operand.rows, part.operand.map);
    SmallVector<OpFoldResult> extents =
        getExtents(b, b.getLoc(), contraction, *part.term);
    SmallVector<OpFoldResult> strides(extents.size());
    auto setStrides = [&](ArrayRef<unsigned> group, OpFoldResult stride) {
      for (unsigned dim : llvm::reverse(group)) {
        strides[dim] = stride;
        stride = mul(b, stride, extents[dim]);
      }
    };
    setStrides(lines, length);
    setStrides(along, b.getIndexAttr(1));
    int64_t lanes = getLanes(part.operand, along);

    SmallVector<Value> lower, upper, step;
    for (unsigned dim : dims) {
      lower.push_back(toValue(b, zero));
      upper.push_back(toValue(b, extents[dim]));
      step.push_back(constant(b, dim == dims.back() ? lanes : 1));
    }
    if (isNeeded)
      upper.front() =
          arith::SelectOp::create(b, isNeeded, upper.front(), lower.front());
    auto loop = scf::ParallelOp::create(b, lower, upper, step);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      SmallVector<Value> position(loop.getInductionVars());
      Value there = getOffset(b, zero, array.strides, dims, position);
      Value here = getOffset(b, first, strides, dims, position);
      Value from = isPacking ? array.flat : matrix.flat,
            to = isPacking ? matrix.flat : array.flat;
      auto type = VectorType::get({lanes}, array.getElementType());
      llvm::MaybeAlign alignment(lanes * type.getElementTypeBitWidth() / 8);
      Value elements =
          vector::LoadOp::create(b, type, from, isPacking ? there : here,
                                 /*nontemporal=*/false, alignment);
      vector::StoreOp::create(b, elements, to, isPacking ? here : there,
                              /*nontemporal=*/false, alignment);
    }
    first = add(b, first, getProduct(b, extents, along));
  }
}

Matrix PackedArrays::pack(const SegmentedContraction &contraction,
                          const MatrixParts &parts) {
  Copy copy;
  // Rows of one array, whose parts are told apart by more than the array, are
  // packed for the occasion.
  bool canBeShared = true;
  for (const MatrixPart &part : parts.parts) {
    copy.arrays.push_back(part.operand.array);
    canBeShared &= !part.operand.rows;
  }
  auto [lines, along] = getLines(parts);
  AffineMap map = parts.parts.front().operand.map;
  for (ArrayRef<unsigned> dims : {lines, along})
    for (unsigned dim : dims)
      copy.order.push_back(
          *map.getResultPosition(getAffineDimExpr(dim, map.getContext())));
  copy.block = b.getInsertionBlock();
  for (const Copy &other : copies)
    if (canBeShared && other.arrays == copy.arrays &&
        other.order == copy.order && other.block == copy.block) {
      // It may have been packed for the other side of a product.
      Matrix matrix = other.matrix;
      bool isAlongColumns = isConstantIntValue(matrix.columnStride, 1);
      if (isAlongColumns != parts.runsAlongColumns())
        std::swap(matrix.rowStride, matrix.columnStride);
      return matrix;
    }
  copy.matrix = allocate(contraction, parts);
  copyParts(contraction, parts, copy.matrix, /*isPacking=*/true);
  if (canBeShared)
    copies.push_back(copy);
  return copy.matrix;
}

void PackedArrays::unpack(const SegmentedContraction &contraction,
                          const MatrixParts &parts, const Matrix &matrix) {
  copyParts(contraction, parts, matrix, /*isPacking=*/false);
}

void PackedArrays::release(Operation *end) {
  OpBuilder::InsertionGuard guard(b);
  for (Value memory : allocated) {
    Block *block = memory.getDefiningOp()->getBlock();
    if (block == end->getBlock())
      b.setInsertionPoint(end);
    else
      b.setInsertionPoint(block->getTerminator());
    memref::DeallocOp::create(b, memory);
  }
}
