// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for few rows, as when one token is decoded. Then reading rhs (the
// weight) takes all of the time, so each of its elements is read once, by loads
// of 16 bytes that follow each other, many of them before the first is used. A
// warp computes some columns of all rows of a block: its threads share k, and
// their sums are added in a fixed order.
//
// It computes whatever has a product, but where memory of the operands does not
// run along k, it is slow.

#ifndef BOOSTR_PASSES_GPU_GEMV_GEMVKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_GEMVKERNEL_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/contraction/SegmentArrays.h"

namespace mlir::boostr::gemv {

inline constexpr int64_t kWarp = 32;
inline constexpr int64_t kWarps = 4;

struct GemvTile {
  /// Of a block; rows of a warp too.
  int64_t rows = 0, columns = 0;
  /// How many chunks of each column are read before the first is used.
  int64_t stages = 0;
  /// Elements that a thread reads at once.
  int64_t chunk = 1;
  /// f64 for f64, else f32.
  Type sumType;

  /// Fails, telling `reason`, if the tile does not fit the kernel.
  static std::optional<GemvTile> get(const SegmentedContraction &contraction,
                                     GpuTileAttr tile, StringRef &reason);

  int64_t warpColumns() const { return columns / kWarps; }
  /// Steps of k that a warp takes at once.
  int64_t warpSteps() const { return kWarp * chunk; }
};

/// Keeps loads before this point before it: no load crosses a barrier of the
/// warp. Without, ptxas moves each to where it is used, to save registers, and
/// few are under way. All threads of the warp must be here.
void keepLoadsBefore(ImplicitLocOpBuilder &b);

/// Elements that all operands have beside each other along k, in up to 16
/// bytes.
int64_t getChunk(const SegmentedContraction &contraction);

/// The most rows for which there is a kernel for few rows on `target`, which
/// may be null.
int64_t getMostRows(GpuTargetAttr target,
                    const SegmentedContraction &contraction);

/// The tile for up to `rows` rows, of this kernel or of `SkinnyKernel`; null if
/// there are too many, or memory of the operands is not known to run along k in
/// pieces of 16 bytes.
GpuTileAttr chooseTile(MLIRContext *context, GpuTargetAttr target,
                       const SegmentedContraction &contraction, int64_t rows);

class GemvKernel {
public:
  GemvKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
             const SegmentedContraction &contraction, const GemvTile &tile,
             bool hasOneRowBlock = false);

  /// Emits a `gpu.launch` with the kernel as its body.
  void emit();

private:
  using Extents = SmallVector<OpFoldResult, 5>;

  /// Where one row or column of an operand begins.
  struct Line {
    cpu::StridedArray array;
    Value offset;
  };

  void emitBlock(const cpu::SegmentArrays &segment);
  SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                    SmallVector<Value> sums);
  SmallVector<Line> getLines(const cpu::StridedArray &array,
                             ArrayRef<unsigned> dims, const Extents &extents,
                             Value first, Value end, int64_t count);
  SmallVector<Value> load(ArrayRef<Line> lines, const Extents &extents,
                          Value step, bool isStreamed);
  void multiply(ValueRange lhs, ValueRange rhs, SmallVector<Value> &sums);
  SmallVector<Value> multiplySteps(ArrayRef<Line> lhs, ArrayRef<Line> rhs,
                                   const Extents &extents, Value step,
                                   int64_t stages, ValueRange sums);
  Value reduce(Value sums);
  void store(const cpu::OutputArrays &output, const Extents &extents,
             ArrayRef<Value> sums);
  Value getOffset(const cpu::StridedArray &array, const Extents &extents,
                  Value row, Value column);

  ImplicitLocOpBuilder &b;
  SegmentedContractionOpInterface op;
  const SegmentedContraction &contraction;
  const GemvTile &tile;
  /// Whether there are no more rows than a block has, so that no block divides
  /// by how many blocks of rows there are before its first load.
  bool hasOneRowBlock;
  /// Whether rhs comes by `loadStreamed`.
  bool streamsRhs;

  /// Of this thread: its place in the warp; the first row and column of the
  /// warp, and how many there are in all.
  Value lane, firstRow, firstColumn, numRows, numColumns;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GEMVKERNEL_H
