// Part of the boostr-mlir project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
// Placeholder, being written.
#include "boostr/dialect/BoostrOps.h"
using namespace mlir;
using namespace mlir::boostr;
LogicalResult FusedQKVOp::vjp(OpBuilder &, ArrayRef<Value>, const BitVector &,
                              SmallVectorImpl<Value> &) {
  return failure();
}
LogicalResult OutProjResidualOp::vjp(OpBuilder &, ArrayRef<Value>,
                                     const BitVector &,
                                     SmallVectorImpl<Value> &) {
  return failure();
}
