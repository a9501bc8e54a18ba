// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/contraction/StaticExtents.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::boostr;

/// The static extent of contraction dimension `dim`.
static int64_t getStaticExtent(const ContractionTerm &term, unsigned dim) {
  for (const ContractionOperand *operand : {&term.lhs, &term.rhs}) {
    for (auto [position, expr] : llvm::enumerate(operand->map.getResults())) {
      if (cast<AffineDimExpr>(expr).getPosition() != dim)
        continue;
      unsigned arrayDim = position;
      if (operand->rows) {
        if (position < 2)
          return position == 0 ? operand->rows->heads : operand->rows->headDim;
        --arrayDim;
      }
      int64_t extent =
          cast<MemRefType>(operand->array.getType()).getDimSize(arrayDim);
      if (!ShapedType::isDynamic(extent))
        return extent;
    }
  }
  return ShapedType::kDynamic;
}

int64_t mlir::boostr::getStaticProduct(const ContractionTerm &term,
                                       ArrayRef<unsigned> dims) {
  int64_t product = 1;
  for (unsigned dim : dims) {
    int64_t extent = getStaticExtent(term, dim);
    if (ShapedType::isDynamic(extent) ||
        llvm::MulOverflow(product, extent, product))
      return ShapedType::kDynamic;
  }
  return product;
}
