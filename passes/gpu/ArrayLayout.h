// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is known of how arrays lie in memory, for code that reads several
// elements at once or divides no index in vain.

#ifndef BOOSTR_PASSES_GPU_ARRAYLAYOUT_H
#define BOOSTR_PASSES_GPU_ARRAYLAYOUT_H

#include "boostr/dialect/SegmentedContraction.h"

namespace mlir::boostr {

/// Whether the array has any of the dimensions `dims` of the contraction.
bool hasAny(const ContractionOperand &operand, ArrayRef<unsigned> dims);

/// Whether memory runs along dimension `dim` of the contraction.
bool runsAlong(const ContractionOperand &operand, unsigned dim);

/// Whether memory of lhs, or of rhs, runs along k.
bool runsAlongSteps(const SegmentedContraction &contraction, bool isLhs);

/// Whether memory of both operands runs along rows, as in the gradient of the
/// weight.
bool isTransposed(const SegmentedContraction &contraction);

/// Whether the dimensions `dims` of `operand` lie in memory like one.
bool isFlat(const ContractionOperand &operand, ArrayRef<unsigned> dims);

/// What is taken for granted of extents that are not known: nothing, or that
/// each last dimension of an array holds a whole number of pieces of 16 bytes,
/// for code that runs behind a check of that.
enum class MultipleExtents { Known, Assumed };

/// Whether `count` elements that follow each other along `dims`, from a
/// multiple of `count` on, follow each other in memory at a multiple of their
/// size: the first element of an array is one of 16 bytes
/// (runtime/boostr_runtime.h).
bool isContiguousInChunks(const ContractionOperand &operand,
                          ArrayRef<unsigned> dims, int64_t count,
                          MultipleExtents extents = MultipleExtents::Known);

/// The most of 8, 4, 2 and 1 elements along `dims` that an operand has beside
/// each other in every term, as above, and of which `extent` is a multiple.
int64_t getCommonChunk(const SegmentedContraction &contraction,
                       ContractionOperand ContractionTerm::*operand,
                       ArrayRef<unsigned> dims, int64_t extent = 8);

/// The element type of both operands.
Type getOperandType(const SegmentedContraction &contraction);

/// Whether all operands are known to be read 16 bytes at a time.
bool hasLargePieces(const SegmentedContraction &contraction);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_ARRAYLAYOUT_H
