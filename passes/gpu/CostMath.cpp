// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/CostMath.h"
#include "boostr/passes/cpu/StridedArray.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::boostr;

OpFoldResult EmittedMath::selectIfLess(OpFoldResult x, OpFoldResult y,
                                       OpFoldResult ifLess,
                                       OpFoldResult otherwise) const {
  std::optional<int64_t> knownX = getConstantIntValue(x),
                         knownY = getConstantIntValue(y);
  if (knownX && knownY)
    return *knownX < *knownY ? ifLess : otherwise;
  Value isLess = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                       cpu::toValue(b, x), cpu::toValue(b, y));
  return cpu::select(b, isLess, ifLess, otherwise);
}
