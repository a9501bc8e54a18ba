// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel that fits every contraction: blocks of 256 threads with operands
// in shared memory and sums in registers, by fused multiply-adds.
//
//   for each term: for each step of k:
//     what was read -> shared memory; barrier; read the next; multiply
//   add, round, store
//
// Every product is exact or rounded once, as a fused multiply-add does, and
// sums run through k in order: the result depends neither on the tile nor on
// what runs beside it.

#ifndef BOOSTR_PASSES_GPU_SIMT_SIMTKERNEL_H
#define BOOSTR_PASSES_GPU_SIMT_SIMTKERNEL_H

#include "boostr/passes/gpu/BlockKernel.h"
#include "boostr/passes/gpu/simt/SimtTile.h"

namespace mlir::boostr::simt {

class SimtKernel : BlockKernel {
public:
  SimtKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
             const SegmentedContraction &contraction, const SimtTile &tile,
             BlockParts parts);

  /// Emits a `gpu.launch` with the kernel as its body.
  void emit();

private:
  /// Sums of this thread, in order of rows; the sum of one row of lhs. The
  /// latter is null if there is none.
  struct Sums {
    SmallVector<Value> products;
    Value lhs;

    SmallVector<Value *> values();
  };

  void emitBlock(const cpu::SegmentArrays &segment);
  void createShared();
  int64_t countProducts() const;
  Sums createZeros();
  void accumulateTerm(const cpu::TermArrays &term, Sums &sums);
  void store(const Walk &walk, Value stage, ValueRange chunks);
  void multiply(Value stage, Sums &sums);
  void sumLhs(Value stage, Sums &sums);
  SmallVector<Value> loadLanes(const Operand &operand, Value stage,
                               int64_t step, Value index, int64_t count);
  void storeProducts(const cpu::OutputArrays &output, const Extents &extents,
                     const Sums &sums);
  void storeSumOfLhs(const cpu::OutputArrays &output, const Extents &extents,
                     Value sum);
  VectorType lanesOf(Type elementType) const;

  const SimtTile &tile;
  /// memref<stages x steps x rows, with padding>
  Operand lhs, rhs;
  Value threadRow, threadColumn;
};

} // namespace mlir::boostr::simt

#endif // BOOSTR_PASSES_GPU_SIMT_SIMTKERNEL_H
