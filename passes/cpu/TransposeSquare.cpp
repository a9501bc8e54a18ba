// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/TransposeSquare.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

void mlir::boostr::cpu::transposeSquare(ImplicitLocOpBuilder &b,
                                        MutableArrayRef<Value> rows) {
  int64_t size = rows.size();
  for (int64_t distance = 1; distance < size; distance *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < size; ++i) {
      bool upper = i & distance;
      low.push_back(upper ? size + i - distance : i);
      high.push_back(upper ? size + i : i + distance);
    }
    for (int64_t i = 0; i < size; ++i) {
      if (i & distance)
        continue;
      Value &first = rows[i], &second = rows[i + distance];
      Value newFirst = vector::ShuffleOp::create(b, first, second, low);
      second = vector::ShuffleOp::create(b, first, second, high);
      first = newFirst;
    }
  }
}
