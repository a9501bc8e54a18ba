// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A contraction as one matrix product of cuBLASLt (`boostr_cuda_multiply` of
// boostr_runtime.h). Segments, or terms, are parts of one side of it: rows of
// the packed weight are that as they lie, and arrays in head layout are packed
// or unpacked.

#ifndef BOOSTR_PASSES_GPU_CUBLASLT_CUBLASLTPRODUCT_H
#define BOOSTR_PASSES_GPU_CUBLASLT_CUBLASLTPRODUCT_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/gpu/cublaslt/PackedArrays.h"

namespace mlir::boostr::cublaslt {

/// What is to be multiplied, and what is added.
struct ProductShape {
  MatrixParts lhs, rhs, result;
  /// Terms of which the extents along rows, columns or steps add up to those of
  /// the product; the first is that of all other extents.
  SmallVector<const ContractionTerm *, 3> terms;
  enum class Axis { Rows, Columns, Steps } axis = Axis::Steps;
  /// A matrix of the result's shape, and a vector along columns.
  std::optional<MatrixParts> addend, bias;
  /// A vector along rows: sums that the library may compute.
  std::optional<MatrixParts> sums;

  /// Whether the library has no epilogue for the bias, which then takes a pass
  /// over the result.
  bool hasSeparateBias() const;

  /// Refers to `contraction`, which must live as long. Nothing, and why, if the
  /// library has no such products.
  static std::optional<ProductShape>
  match(SegmentedContractionOpInterface op,
        const SegmentedContraction &contraction, StringRef &reason);
};

/// The products that compute `contraction`: one if its arrays allow that, else
/// one for each segment, as where weights are separate. None, and why, if the
/// library has no such products.
SmallVector<SegmentedContraction, 0>
splitIntoProducts(SegmentedContractionOpInterface op,
                  const SegmentedContraction &contraction, StringRef &reason);

/// Whether sums of lhs are wanted.
bool hasSums(const SegmentedContraction &contraction);

/// Emits one product.
class CublasltProduct {
public:
  CublasltProduct(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                  const SegmentedContraction &contraction,
                  const ProductShape &shape, GpuTileAttr tile,
                  PackedArrays &packed)
      : b(b), op(op), contraction(contraction), shape(shape), tile(tile),
        packed(packed) {}

  /// The call, with what has to be packed before and unpacked behind. The
  /// result, an i32, tells what the library could do: nothing (0), all but sums
  /// (1), all (2).
  Value emit();

private:
  using Axis = ProductShape::Axis;
  /// Whether the result is in head layout, and can be written there by products
  /// of their own for batch and head; if so, for so many tokens of each batch
  /// that this wins, an i1.
  Value checkBatched();
  /// Those products.
  Value emitBatched();
  Value emitBatched(size_t segment, Value outer);
  /// One product for all.
  Value emitPacked();

  Matrix getOperand(const MatrixParts &parts);
  OpFoldResult getExtent(ArrayRef<unsigned> dims, Axis axis);
  SmallVector<OpFoldResult> getExtentsOf(const ContractionTerm *term) {
    return getExtents(b, b.getLoc(), contraction, *term);
  }
  void addBias(const Matrix &result);

  // The fields of `boostr_cuda_product`, in their order, and its call.
  void addNumber(OpFoldResult number);
  void addMatrix(const std::optional<Matrix> &matrix);
  void addVector(const std::optional<MatrixParts> &vector);
  void addTypes();
  Value emitCall();

  ImplicitLocOpBuilder &b;
  SegmentedContractionOpInterface op;
  const SegmentedContraction &contraction;
  const ProductShape &shape;
  GpuTileAttr tile;
  PackedArrays &packed;
  /// Fields of `boostr_cuda_product`, each an i64.
  SmallVector<Value> words;
};

/// Whether there is a cuBLASLt when the code runs, as an i1.
Value emitHasLibrary(ImplicitLocOpBuilder &b, Operation *op);

} // namespace mlir::boostr::cublaslt

#endif // BOOSTR_PASSES_GPU_CUBLASLT_CUBLASLTPRODUCT_H
