// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrices for a library that knows none but those of two dimensions, along one
// of which memory runs. Where arrays of a contraction lie like that they are
// used as they are; else a copy that does is packed, or unpacked, by a kernel.

#ifndef BOOSTR_PASSES_GPU_CUBLASLT_PACKEDARRAYS_H
#define BOOSTR_PASSES_GPU_CUBLASLT_PACKEDARRAYS_H

#include "boostr/passes/cpu/StridedArray.h"

namespace mlir::boostr::cublaslt {

/// One array of a contraction's matrix, and the term that has its extents.
struct MatrixPart {
  ContractionOperand operand;
  const ContractionTerm *term;
};

/// A matrix [rows, columns] of a contraction. Where it has several parts, these
/// follow each other along the dimensions that memory runs along.
struct MatrixParts {
  ArrayRef<unsigned> rows, columns;
  SmallVector<MatrixPart, 3> parts;

  /// Whether memory runs along columns rather than rows.
  bool runsAlongColumns() const;
  /// Whether the parts are one matrix already.
  bool isMatrix() const;
  /// Whether a copy can be one: memory runs along one of the two, and along it
  /// parts are told apart.
  bool canBePacked() const;
};

/// Whether parts are rows of one array, in its order and without gaps.
bool followEachOther(ArrayRef<MatrixPart> parts);

/// Element [i, j] is at i * rowStride + j * columnStride of `flat`, behind its
/// first one. Of a batch, matrices are `batchStride` elements apart.
struct Matrix {
  Value flat;
  OpFoldResult rowStride, columnStride;
  OpFoldResult first = {}, batchStride = {};
};

/// The matrix of `parts` as it lies.
Matrix getMatrix(ImplicitLocOpBuilder &b, const MatrixParts &parts);

/// The copies that an op needs, so that one which several contractions need is
/// made once.
class PackedArrays {
public:
  /// Nothing is copied when the code runs where `isNeeded` is false; it may be
  /// null.
  PackedArrays(ImplicitLocOpBuilder &b, Value isNeeded)
      : b(b), isNeeded(isNeeded) {}

  /// A copy of a matrix.
  Matrix pack(const SegmentedContraction &contraction,
              const MatrixParts &parts);
  /// Memory for a matrix, of elements that are not set.
  Matrix allocate(const SegmentedContraction &contraction,
                  const MatrixParts &parts);
  /// Copies `matrix`, which `allocate` made, to where its parts belong.
  void unpack(const SegmentedContraction &contraction, const MatrixParts &parts,
              const Matrix &matrix);
  /// Frees all of it where the block of each ends, which is `end` for that of
  /// `end`.
  void release(Operation *end);

private:
  /// A copy, and what it is of.
  struct Copy {
    SmallVector<Value, 3> arrays;
    /// Dimensions of the arrays, from line to line and along lines.
    SmallVector<unsigned, 4> order;
    Block *block;
    Matrix matrix;
  };
  void copyParts(const SegmentedContraction &contraction,
                 const MatrixParts &parts, const Matrix &matrix,
                 bool isPacking);

  ImplicitLocOpBuilder &b;
  Value isNeeded;
  SmallVector<Copy, 2> copies;
  SmallVector<Value, 2> allocated;
};

} // namespace mlir::boostr::cublaslt

#endif // BOOSTR_PASSES_GPU_CUBLASLT_PACKEDARRAYS_H
