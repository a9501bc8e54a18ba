// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/ArrayLayout.h"

using namespace mlir;
using namespace mlir::boostr;

static std::optional<unsigned> getPosition(AffineMap map, unsigned dim) {
  return map.getResultPosition(getAffineDimExpr(dim, map.getContext()));
}

static MemRefType getMemRefType(const ContractionOperand &operand) {
  return cast<MemRefType>(operand.array.getType());
}

bool mlir::boostr::runsAlong(const ContractionOperand &operand, unsigned dim) {
  return getPosition(operand.map, dim) == operand.map.getNumResults() - 1;
}

bool mlir::boostr::isFlat(const ContractionOperand &operand,
                          ArrayRef<unsigned> dims) {
  for (size_t number = 1; number < dims.size(); ++number) {
    std::optional<unsigned> outer = getPosition(operand.map, dims[number - 1]),
                            inner = getPosition(operand.map, dims[number]);
    if (!outer && !inner)
      continue;
    if (!outer || !inner || *outer + 1 != *inner)
      return false;
    bool isSplitRow = operand.rows && *outer == 0;
    if (!isSplitRow && !getMemRefType(operand).getLayout().isIdentity())
      return false;
  }
  return true;
}

bool mlir::boostr::isContiguousInChunks(const ContractionOperand &operand,
                                        ArrayRef<unsigned> dims, int64_t count,
                                        MultipleExtents extents) {
  MemRefType type = getMemRefType(operand);
  if (count * type.getElementTypeBitWidth() > 128 ||
      !type.getLayout().isIdentity() || !runsAlong(operand, dims.back()))
    return false;
  // Then every stride but that of the last dimension is a multiple of its
  // extent, and so is where the rows begin.
  bool isSplit = operand.rows && type.getRank() == 1;
  if (isSplit && operand.rows->offset % count != 0)
    return false;
  int64_t extent = isSplit ? operand.rows->headDim : type.getShape().back();
  if (ShapedType::isDynamic(extent))
    return extents == MultipleExtents::Assumed;
  return extent % count == 0;
}

int64_t
mlir::boostr::getCommonChunk(const SegmentedContraction &contraction,
                             ContractionOperand ContractionTerm::*operand,
                             ArrayRef<unsigned> dims, int64_t extent) {
  for (int64_t count : {8, 4, 2})
    if (extent % count == 0 &&
        llvm::all_of(contraction.segments, [&](const auto &segment) {
          return llvm::all_of(segment.terms, [&](const auto &term) {
            return isContiguousInChunks(term.*operand, dims, count);
          });
        }))
      return count;
  return 1;
}

Type mlir::boostr::getOperandType(const SegmentedContraction &contraction) {
  return getElementTypeOrSelf(
      contraction.segments.front().terms.front().lhs.array);
}

bool mlir::boostr::hasAny(const ContractionOperand &operand,
                          ArrayRef<unsigned> dims) {
  return llvm::any_of(dims, [&](unsigned dim) {
    return getPosition(operand.map, dim).has_value();
  });
}

bool mlir::boostr::runsAlongSteps(const SegmentedContraction &contraction,
                                  bool isLhs) {
  const ContractionTerm &term = contraction.segments.front().terms.front();
  return runsAlong(isLhs ? term.lhs : term.rhs, contraction.k.back());
}

bool mlir::boostr::isTransposed(const SegmentedContraction &contraction) {
  return !runsAlongSteps(contraction, /*isLhs=*/true) &&
         !runsAlongSteps(contraction, /*isLhs=*/false);
}

bool mlir::boostr::hasLargePieces(const SegmentedContraction &contraction) {
  auto isLarge = [&](const ContractionOperand &operand,
                     ArrayRef<unsigned> rows) {
    int64_t count =
        128 / getElementTypeOrSelf(operand.array).getIntOrFloatBitWidth();
    return isContiguousInChunks(operand, contraction.k, count) ||
           isContiguousInChunks(operand, rows, count);
  };
  return llvm::all_of(contraction.segments, [&](const auto &segment) {
    return llvm::all_of(segment.terms, [&](const ContractionTerm &term) {
      return isLarge(term.lhs, contraction.m) &&
             isLarge(term.rhs, contraction.n);
    });
  });
}
