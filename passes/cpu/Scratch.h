// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory of emitted code that is freed at the end of a scope of the emitter.

#ifndef BOOSTR_PASSES_CPU_SCRATCH_H
#define BOOSTR_PASSES_CPU_SCRATCH_H

#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::boostr::cpu {

/// Allocates flat memory where the builder is, and frees it where the builder
/// is when this goes out of scope.
class Scratch {
public:
  explicit Scratch(ImplicitLocOpBuilder &b) : b(b) {}
  ~Scratch() {
    for (Value memory : allocated)
      memref::DeallocOp::create(b, memory);
  }
  Scratch(const Scratch &) = delete;

  Value allocate(OpFoldResult size, Type elementType) {
    std::optional<int64_t> known = getConstantIntValue(size);
    auto type =
        MemRefType::get({known.value_or(ShapedType::kDynamic)}, elementType);
    SmallVector<Value, 1> dynamic;
    if (!known)
      dynamic.push_back(toValue(b, size));
    auto memory = memref::AllocOp::create(b, type, dynamic,
                                          b.getI64IntegerAttr(kAlignment));
    allocated.push_back(memory);
    return memory;
  }
  Value allocate(int64_t size, Type elementType) {
    return allocate(b.getIndexAttr(size), elementType);
  }

private:
  static constexpr int64_t kAlignment = 64;
  ImplicitLocOpBuilder &b;
  SmallVector<Value> allocated;
};

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_SCRATCH_H
