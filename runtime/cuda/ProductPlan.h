// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// How cuBLASLt computes one kind of product.

#ifndef BOOSTR_RUNTIME_CUDA_PRODUCTPLAN_H
#define BOOSTR_RUNTIME_CUDA_PRODUCTPLAN_H

#include "boostr/runtime/boostr_runtime.h"
#include "boostr/runtime/cuda/CublasLt.h"

#include <mutex>
#include <type_traits>

namespace boostr::runtime::cuda {

/// All that a plan depends on; compared byte by byte.
struct ProductKey {
  unsigned long long contextId;
  int64_t rows, columns, steps, batch;
  /// Of lhs, rhs, result and addend: row, column, batch.
  int64_t strides[4][3];
  int64_t biasStride;
  DLDataType element, resultElement, sumsElement;
  uint32_t flags;
  uint16_t alignments[4];
  uint32_t hasAddend, hasBias, hasSums, isInUse;
};
static_assert(std::has_unique_object_representations_v<ProductKey> &&
                  sizeof(ProductKey) % sizeof(uint64_t) == 0,
              "compared byte by byte");

ProductKey makeKey(const boostr_cuda_product &product,
                   unsigned long long contextId);

/// A number for a table of plans.
uint64_t hash(const ProductKey &key);

/// What cuBLASLt's heuristic says about products that differ in nothing but
/// addresses. One that is not in use has a key of zeros.
struct ProductPlan {
  /// What of cuBLASLt's it owns.
  struct Descriptors {
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t lhs, rhs, result, addend;
  };

  ProductPlan() = default;
  ProductPlan(const ProductPlan &) = delete;
  ProductPlan &operator=(const ProductPlan &) = delete;
  ~ProductPlan() { clear(); }

  /// Makes it the plan of `key`, which it may be already. `vector` is the bias
  /// or the sums of a product, or null: the heuristic may look whether there is
  /// one.
  boostr_status prepare(const CublasLt &library, cublasLtHandle_t handle,
                        const ProductKey &key, const void *vector);

  /// Held while the plan is made or used: the product's descriptor says where
  /// the bias is.
  std::mutex mutex;
  const CublasLt *library = nullptr;
  ProductKey key{};
  Descriptors descriptors{};
  /// False if cuBLASLt has nothing for such products.
  bool isSupported = false;
  cublasLtMatmulAlgo_t algorithm{};
  size_t workspaceBytes = 0;

private:
  void clear();
};

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_PRODUCTPLAN_H
