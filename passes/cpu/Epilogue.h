// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What happens to a finished block of sums: bias, residual and given gradients
// are added in the type of accumulation, the sum is rounded once, and stored
// where the result lies.

#ifndef BOOSTR_PASSES_CPU_EPILOGUE_H
#define BOOSTR_PASSES_CPU_EPILOGUE_H

#include "boostr/passes/cpu/StridedArray.h"
#include "boostr/passes/cpu/SumBlock.h"

namespace mlir::boostr::cpu {

/// An array that the epilogue reads or writes, with the offsets of the block's
/// rows and columns; a table is null where the array has no such dimensions.
struct EpilogueArray {
  StridedArray array;
  Value rowOffsets, columnOffsets;
};

/// A block of sums on its way out.
struct Epilogue {
  EpilogueArray result;
  SmallVector<EpilogueArray, 3> addends;
  SumBlock sums;
  /// True if the rows of `sums` are the columns of the result.
  bool isTransposed;
  /// Rows and columns of the result that exist in this block.
  Value numRows, numColumns;
  int64_t lanes;
  /// True if `lanes` columns follow each other in every array that has columns.
  bool isContiguous;
  /// True if there are only whole vectors of columns.
  bool isWhole = false;
  /// True if transposed sums are f32, all else is bf16, and two times `lanes`
  /// columns follow each other everywhere, also in a panel of sums.
  bool storesPairs = false;
};

/// Emits the way out of `sum`, that of a row and a column of the block, or of
/// as many columns from there on as it has lanes. It need not be in `sums`.
void storeSum(ImplicitLocOpBuilder &b, const Epilogue &epilogue, Value sum,
              Value row, Value column);

/// Emits the way out of the rows from `firstRow` to before `endRow` of the
/// result; of all rows where sums are transposed.
void storeBlock(ImplicitLocOpBuilder &b, const Epilogue &epilogue,
                Value firstRow, Value endRow);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_EPILOGUE_H
