// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/CountIndices.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/StridedArray.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::boostr;

Value boostr::countIndices(ImplicitLocOpBuilder &b,
                           const SegmentedContraction &contraction,
                           const ContractionTerm &term,
                           ArrayRef<unsigned> dims) {
  SmallVector<OpFoldResult> extents =
      getExtents(b, b.getLoc(), contraction, term);
  return cpu::DimGroup{dims, extents}.getSize(b);
}

Value boostr::countRows(ImplicitLocOpBuilder &b,
                        const SegmentedContraction &contraction) {
  return countIndices(b, contraction,
                      contraction.segments.front().terms.front(),
                      contraction.m);
}

Value boostr::isAtMost(ImplicitLocOpBuilder &b, Value number, int64_t limit) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, number,
                               cpu::constant(b, limit));
}
