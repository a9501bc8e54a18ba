// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a cost model computes with: numbers that are known, or code that the
// host runs. Both have the same functions, on numbers that are not negative.

#ifndef BOOSTR_PASSES_GPU_COSTMATH_H
#define BOOSTR_PASSES_GPU_COSTMATH_H

#include "boostr/passes/cpu/IndexMath.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::boostr {

/// Numbers that are known when code is compiled.
struct KnownMath {
  using Number = int64_t;

  Number number(int64_t value) const { return value; }
  Number add(Number x, Number y) const { return x + y; }
  Number sub(Number x, Number y) const { return x - y; }
  Number mul(Number x, Number y) const { return x * y; }
  Number div(Number x, Number y) const { return x / y; }
  Number ceilDiv(Number x, Number y) const {
    return llvm::divideCeilSigned(x, y);
  }
  Number min(Number x, Number y) const { return std::min(x, y); }
  Number max(Number x, Number y) const { return std::max(x, y); }
  /// `x < y ? ifLess : otherwise`
  Number selectIfLess(Number x, Number y, Number ifLess,
                      Number otherwise) const {
    return x < y ? ifLess : otherwise;
  }
};

/// Code that computes them, where they are not constant.
struct EmittedMath {
  using Number = OpFoldResult;
  ImplicitLocOpBuilder &b;

  Number number(int64_t value) const { return b.getIndexAttr(value); }
  Number add(Number x, Number y) const { return cpu::add(b, x, y); }
  Number sub(Number x, Number y) const { return cpu::sub(b, x, y); }
  Number mul(Number x, Number y) const { return cpu::mul(b, x, y); }
  Number div(Number x, Number y) const { return cpu::div(b, x, y); }
  Number ceilDiv(Number x, Number y) const { return cpu::ceilDiv(b, x, y); }
  Number min(Number x, Number y) const { return cpu::min(b, x, y); }
  Number max(Number x, Number y) const { return cpu::max(b, x, y); }
  Number selectIfLess(Number x, Number y, Number ifLess,
                      Number otherwise) const;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_COSTMATH_H
