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

#include "boostr/passes/contraction/SegmentArrays.h"
#include "boostr/passes/gpu/simt/SimtTile.h"

namespace mlir::boostr::simt {

class SimtKernel {
public:
  SimtKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
             const SegmentedContraction &contraction, const SimtTile &tile);

  /// Emits a `gpu.launch` with the kernel as its body.
  void emit();

private:
  using Extents = SmallVector<OpFoldResult, 5>;

  /// Rows or columns of the result: the first of this block, and how many there
  /// are in all.
  struct Range {
    Value start, end;
  };
  /// One operand's blocks in shared memory.
  struct Operand {
    LoadPlan plan;
    bool isLhs;
    /// Rows of lhs, or of rhs (the result's columns).
    int64_t rows;
    /// memref<stages x steps x rows, with padding>
    Value shared;

    int64_t chunksPerThread(const SimtTile &tile) const {
      return rows * tile.steps / (plan.chunk * kThreads);
    }
  };
  /// What this thread reads of an operand in each step.
  struct Walk {
    const Operand *operand;
    cpu::StridedArray array;
    /// Of k.
    Extents extents;
    Value numSteps;
    /// Of each chunk: its place in the block, and where its row begins.
    SmallVector<Value> rows, steps, rowOffsets, isRowThere;
  };
  /// Sums of this thread, in order of rows; the sum of one row of lhs. The
  /// latter is null if there is none.
  struct Sums {
    SmallVector<Value> products;
    Value lhs;
  };
  /// An array of the epilogue with the offsets of this thread's columns.
  struct EpilogueArray {
    cpu::StridedArray array;
    EpiloguePlan plan;
    bool hasColumns;
    SmallVector<Value> columnOffsets;
  };
  struct Epilogue {
    EpilogueArray result;
    SmallVector<EpilogueArray, 3> addends;
    /// Sums that are stored at once, and for each such group whether its
    /// columns are there.
    int64_t lanes;
    SmallVector<Value> isColumnThere;
  };

  // SimtKernel.cpp: the frame and the products.
  void emitBlock(const cpu::SegmentArrays &segment,
                 const cpu::SegmentGrid &grid, Value number);
  std::pair<Value, Value> orderBlocks(Value number,
                                      const cpu::SegmentGrid &grid);
  void createShared();
  Sums createZeros();
  SmallVector<Value> flatten(const Sums &sums);
  Sums unflatten(ValueRange values);
  Sums accumulateTerms(const cpu::SegmentArrays &segment);
  Sums accumulateTerm(const cpu::TermArrays &term, Sums sums);
  void multiply(Value stage, Sums &sums);
  void sumLhs(Value stage, Sums &sums);
  SmallVector<Value> loadLanes(const Operand &operand, Value stage,
                               int64_t step, Value index, int64_t count);

  // SimtLoads.cpp: from global to shared memory.
  Walk startWalk(const Operand &operand, const cpu::StridedArray &array,
                 const Extents &extents, const Range &range);
  SmallVector<Value> load(const Walk &walk, Value firstStep);
  void store(const Walk &walk, Value stage, ValueRange chunks);

  // SimtEpilogue.cpp: from registers to global memory.
  EpilogueArray getEpilogueArray(const cpu::StridedArray &array,
                                 ArrayRef<ContractionOperand> operands);
  SmallVector<ContractionOperand> collectResults(bool isLhsSum);
  SmallVector<ContractionOperand> collectAddends(bool isLhsSum, size_t number);
  Epilogue startEpilogue(const cpu::OutputArrays &output,
                         const Extents &extents, bool isLhsSum);
  void storeProducts(const cpu::OutputArrays &output, const Extents &extents,
                     const Sums &sums);
  void storeLhsSum(const cpu::OutputArrays &output, const Extents &extents,
                   Value sum);
  void storeSums(const Epilogue &epilogue, ArrayRef<Value> rowOffsets,
                 int64_t group, Value sums);
  SmallVector<Value> getRowOffsets(const Epilogue &epilogue,
                                   const Extents &extents, Value row);
  Value loadAddend(const EpilogueArray &addend, Value rowOffset, int64_t group,
                   Type type);

  // Shared by all.
  Value offsetOf(const cpu::StridedArray &array, ArrayRef<unsigned> dims,
                 const Extents &extents, Value index, bool isFlat);
  Value isLess(Value x, Value y);
  Value plus(Value x, Value y);
  Value plus(Value x, int64_t y);
  Value times(Value x, int64_t y);
  Value quotient(Value x, int64_t y);
  Value remainder(Value x, int64_t y);
  VectorType lanesOf(Type elementType) const;
  bool hasProduct() const {
    return contraction.segments.front().product.has_value();
  }
  bool hasLhsSum() const {
    return contraction.segments.front().lhsSum.has_value();
  }

  ImplicitLocOpBuilder &b;
  SegmentedContractionOpInterface op;
  const SegmentedContraction &contraction;
  const SimtTile &tile;
  Operand lhs, rhs;

  // Of this thread and its block.
  Value thread, threadRow, threadColumn;
  Range rows, columns;
  /// Whether this block sums lhs too.
  Value isFirstColumn;
};

} // namespace mlir::boostr::simt

#endif // BOOSTR_PASSES_GPU_SIMT_SIMTKERNEL_H
