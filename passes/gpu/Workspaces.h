// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef BOOSTR_PASSES_GPU_WORKSPACES_H
#define BOOSTR_PASSES_GPU_WORKSPACES_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {

/// What compiled code calls for memory, and for a number to mark flags in it
/// with (boostr_runtime.h).
inline constexpr StringLiteral kAllocateName = "boostr_allocate",
                               kTokenName = "boostr_cuda_token";

/// Memory of the device that kernels of an op may need while they run. All of
/// it is released behind the last launch: in between, a release would keep
/// kernels from running at the same time, or give one the memory of another.
class Workspaces {
public:
  Workspaces(ImplicitLocOpBuilder &b, Operation *op) : b(b), op(op) {}

  /// A pointer on the host's stack, for the address of a workspace once it is
  /// allocated; null until then.
  Value create();
  /// Makes the allocations among the operations from `first` up to `end`, of
  /// one block, happen ahead of `before`, under the same conditions.
  void allocateAhead(Block::iterator first, Block::iterator end,
                     Block::iterator before);
  /// Emits the releases.
  void release();

private:
  ImplicitLocOpBuilder &b;
  Operation *op;
  SmallVector<Value, 2> pointers;
};

/// Allocates `bytes` of memory of the device if it `isNeeded`, both values of
/// the host, and leaves the address at `workspace`, a pointer of `Workspaces`.
/// Returns the address and what to mark flags in that memory with, as i64;
/// zeros if it is not needed.
std::pair<Value, Value> allocateWorkspace(ImplicitLocOpBuilder &b,
                                          Operation *op, Value workspace,
                                          Value isNeeded, Value bytes);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_WORKSPACES_H
