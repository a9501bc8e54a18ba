// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for tensor cores from sm_80 on: blocks of warps with operands in a
// ring in shared memory, filled by asynchronous copies (cp.async), and sums in
// registers, by products of a warp (mma.sync).
//
//   for each term: fill all stages of the ring but one; for each stage:
//     for each of the instruction's steps: load fragments of the next from
//     shared memory, ask for a part of a later stage, multiply
//     (before the last: wait for the next stage; barrier)
//   sums -> shared memory -> add, round, store by 16 bytes
//
// Whatever fits no instruction or no copy is filled with zeros. The order of
// every sum is fixed by the tile.

#ifndef BOOSTR_PASSES_GPU_MMA_MMAKERNEL_H
#define BOOSTR_PASSES_GPU_MMA_MMAKERNEL_H

#include "boostr/passes/gpu/BlockKernel.h"
#include "boostr/passes/gpu/mma/MmaTile.h"

namespace mlir::boostr::mma {

class MmaKernel : BlockKernel {
public:
  /// With `MultipleExtents::Assumed` the caller checks that the last dimension
  /// of each array is a whole number of pieces of 16 bytes.
  MmaKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
            const SegmentedContraction &contraction, const MmaTile &tile,
            BlockParts parts, MultipleExtents extents);

  /// Emits a `gpu.launch` with the kernel as its body.
  void emit();

private:
  /// What a thread has of one operand of an instruction, and both parts of it
  /// where it is the sum of two TF32 numbers.
  struct Fragment {
    SmallVector<Value, 8> high, low;
  };
  /// What a thread has of both operands for one instruction's steps.
  struct Fragments {
    SmallVector<Fragment> lhs, rhs;

    SmallVector<Value *> values();
  };
  /// Sums of this thread: of each instruction a vector, by rows; the sums of
  /// lhs, alike in all columns.
  struct Sums {
    SmallVector<Value> products, lhs;

    SmallVector<Value *> values();
  };
  /// What a turn of the loop over stages begins with: where its stage is, which
  /// blocks it asks for, and the first fragments, loaded before.
  struct Turn {
    Value slot;
    SmallVector<Walk, 2> walks;
    Fragments fragments;
    Sums sums;

    SmallVector<Value *> values();
  };

  void emitBlock(const cpu::SegmentArrays &segment);
  void createShared(Value bytes);
  std::pair<int64_t, int64_t> countSums() const;
  Sums createZeros();

  // MmaRing.cpp: the loop over stages.
  void accumulateTerm(const cpu::TermArrays &term, Sums &sums);
  void emitTurn(Turn &turn, Value number);
  /// Whether the operand is copied asynchronously, by 4 bytes or more; else
  /// through registers.
  bool isAsync(const Operand &operand) const;
  // Of the turn of that number.
  SmallVector<Chunks, 2> startCopies(ArrayRef<Walk> walks);
  void copyNext(Chunks &chunks, Value slot, Value number);
  /// Begins to load blocks through registers, and stores them to `slot`.
  SmallVector<Value> startLoads(ArrayRef<Walk> walks, Value number);
  void finishLoads(ArrayRef<Walk> walks, Value slot, ArrayRef<Value> chunks);
  SmallVector<Value> getIndices(const Operand &operand, Value slot, Value row,
                                Value step);

  // The products.
  Fragments loadStep(Value slot, int64_t step);
  void multiply(const Fragments &fragments, Sums &sums);
  void addLhs(ArrayRef<Fragment> lhs, Sums &sums);
  Value multiply(const Fragment &lhs, const Fragment &rhs, Value sum);
  Value emitInstruction(ArrayRef<Value> lhs, ArrayRef<Value> rhs, Value sum);
  SmallVector<Fragment> loadFragments(const Operand &operand, Value slot,
                                      int64_t step);
  SmallVector<Fragment> loadMatrices(const Operand &operand, Value slot,
                                     int64_t step);
  SmallVector<Fragment> loadElements(const Operand &operand, Value slot,
                                     int64_t step);
  void appendElement(Fragment &fragment, Value element);
  Fragment createOnes();

  // The results.
  void stageSums(const Sums &sums);
  void storeProducts(const cpu::OutputArrays &output, const Extents &extents);
  void storeSumsOfLhs(const cpu::OutputArrays &output, const Extents &extents,
                      const Sums &sums);

  const MmaTile &tile;
  /// memref<stages x lines x elements of a line>; a line is what memory runs
  /// along.
  Operand lhs, rhs;
  Value staging;
  /// Of this thread: its place in the warp, and in groups of four (`g` and `t`
  /// of `Instruction`); where its warp's rows and columns begin in the block.
  Value lane, group, inGroup, warpRow, warpColumn;
};

} // namespace mlir::boostr::mma

#endif // BOOSTR_PASSES_GPU_MMA_MMAKERNEL_H
