// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits one segmented contraction as tasks that each compute a block of a
// result.

#ifndef BOOSTR_PASSES_CPU_CONTRACTIONEMITTER_H
#define BOOSTR_PASSES_CPU_CONTRACTIONEMITTER_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/contraction/SegmentArrays.h"
#include "boostr/passes/cpu/Epilogue.h"
#include "boostr/passes/cpu/PackPanels.h"

namespace mlir::boostr::cpu {

/// Emits code for one contraction of an op in buffer form.
///
/// Blocks of all segments are numbered through, and one `scf.parallel` runs
/// over them. Segments differ only in addresses, strides and extents, so a task
/// selects these by its number and the code that follows exists once.
class ContractionEmitter {
public:
  ContractionEmitter(ImplicitLocOpBuilder &b,
                     SegmentedContractionOpInterface op,
                     const SegmentedContraction &contraction, CpuTileAttr tile);
  void emit();

private:
  using Extents = SmallVector<OpFoldResult, 5>;

  using Term = TermArrays;
  using Output = OutputArrays;
  using Segment = SegmentArrays;

  /// A range [start, start + length) of a group of dimensions that ends at
  /// `end`.
  struct Range {
    Value start, length, end;
  };
  /// Memory of one task.
  struct Scratch {
    Value lhsPanels, rhsPanels, sums, lhsSums;
    Value lhsRows, lhsK, rhsColumns, rhsK;
    SmallVector<Value> all;
  };

  void emitTask(Value task);
  void accumulateTerms(const Segment &segment, const Range &rows,
                       const Range &columns, Value isFirstColumn);
  void accumulateStep(const Term &term, const Range &rows, const Range &columns,
                      Value firstStep, Value isFirstColumn);
  void fillBlockTables(const Term &term, const Range &rows,
                       const Range &columns);
  void sumLhsPanels(const Range &rows, Value numSteps);
  void multiplyPanels(const Range &rows, const Range &columns, Value numSteps);
  void storeProduct(const Output &output, ArrayRef<OpFoldResult> extents,
                    const Range &rows, const Range &columns);
  void storeLhsSum(const Output &output, ArrayRef<OpFoldResult> extents,
                   const Range &rows);
  EpilogueArray getEpilogueArray(const StridedArray &array,
                                 ArrayRef<OpFoldResult> extents,
                                 const Range &rows, const Range *columns);

  void allocateScratch();
  Value allocate(ArrayRef<int64_t> shape, Type elementType);
  void free(size_t first);
  void fill(Value memref, Attribute value);
  Range getBlock(Value number, int64_t size, Value end);
  Value countPanels(const Range &range, int64_t multiple);
  PackStrategy getStrategy(bool isLhs) const;
  bool isEpilogueContiguous() const;

  DimGroup rowsOf(ArrayRef<OpFoldResult> extents) const {
    return {contraction.m, extents};
  }
  DimGroup columnsOf(ArrayRef<OpFoldResult> extents) const {
    return {contraction.n, extents};
  }
  DimGroup stepsOf(ArrayRef<OpFoldResult> extents) const {
    return {contraction.k, extents};
  }

  ImplicitLocOpBuilder &b;
  const SegmentedContraction &contraction;
  int64_t mc, nc, kc, mr, nr, lanes;
  Type sumType;
  NumberedBlocks blocks;
  ArrayRef<Segment> segments;
  Scratch scratch;
};

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_CONTRACTIONEMITTER_H
