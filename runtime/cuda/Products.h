// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Matrix products by cuBLASLt: how to compute those that were asked for.

#ifndef BOOSTR_RUNTIME_CUDA_PRODUCTS_H
#define BOOSTR_RUNTIME_CUDA_PRODUCTS_H

#include "boostr/runtime/boostr_runtime.h"
#include "boostr/runtime/cuda/CublasLt.h"
#include "boostr/runtime/cuda/CurrentContext.h"
#include "boostr/runtime/cuda/DeviceMutexes.h"

#include <atomic>
#include <mutex>

namespace boostr::runtime::cuda {

class Run;
struct ProductPlan;

/// A context's plans, of which there are so many at most, and its handles of
/// cuBLASLt, one for each CUcontext. A plan is what cuBLASLt's heuristic says
/// about products that differ in nothing but addresses.
class ProductCache {
public:
  ProductCache() = default;
  ProductCache(const ProductCache &) = delete;
  ProductCache &operator=(const ProductCache &) = delete;
  ~ProductCache();

  /// boostr_cuda_multiply, with its result in `done`.
  boostr_status multiply(Run &run, const boostr_cuda_product &product,
                         int32_t &done);

private:
  struct Handle {
    unsigned long long contextId;
    cublasLtHandle_t handle;
    Handle *next;
  };
  boostr_status getHandle(const CurrentContext &current,
                          const CublasLt &library, cublasLtHandle_t &handle);
  boostr_status getPlans(ProductPlan *&all);

  std::atomic<Handle *> handles{nullptr};
  std::atomic<ProductPlan *> plans{nullptr};
  /// Held to create the table of plans, and to create a handle.
  std::mutex mutex;
  DeviceMutexes handleMutexes;
};

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_PRODUCTS_H
