// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Matrix products by cuBLASLt.

#include "boostr/runtime/cuda/Products.h"

#include "boostr/runtime/Allocator.h"
#include "boostr/runtime/Invocation.h"
#include "boostr/runtime/cuda/GrowingList.h"
#include "boostr/runtime/cuda/ProductPlan.h"
#include "boostr/runtime/cuda/Run.h"

#include <new>

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

static constexpr size_t numPlans = 256;

//===----------------------------------------------------------------------===//
// Running it
//===----------------------------------------------------------------------===//

static boostr_status failToMultiply(const CublasLt &library,
                                    cublasStatus_t result,
                                    const boostr_cuda_product &product) {
  int64_t lhs[] = {product.batch, product.rows, product.steps};
  int64_t rhs[] = {product.batch, product.columns, product.steps};
  Message message{};
  describe(message, library, "cublasLtMatmul", result);
  (message << ", for a product of " << product.element << " ")
      .list(lhs, 3, /*markDynamic=*/false);
  (message << " and ").list(rhs, 3, /*markDynamic=*/false);
  return fail(statusOf(result), message);
}

static const void *getVector(const boostr_cuda_product &product) {
  return product.bias ? product.bias : product.lhs_sums;
}

namespace {
/// Memory for one product, taken and given back in the order of the stream.
class Workspace {
public:
  explicit Workspace(Run &run) : run(run) {}
  Workspace(const Workspace &) = delete;
  Workspace &operator=(const Workspace &) = delete;
  ~Workspace() { clear(); }

  /// Makes it one of `needed` bytes.
  boostr_status resize(size_t needed) {
    clear();
    block = takeBlock(run.allocator, needed, alignment);
    // The allocator has reported why.
    if (!block)
      return BOOSTR_OUT_OF_MEMORY;
    bytes = needed;
    return BOOSTR_OK;
  }

  void *getBlock() const { return block; }
  size_t getBytes() const { return bytes; }

private:
  void clear() {
    if (block)
      giveBlockBack(run.allocator, block, bytes);
    block = nullptr;
    bytes = 0;
  }

  static constexpr size_t alignment = 256;
  Run &run;
  void *block = nullptr;
  size_t bytes = 0;
};
} // namespace

/// Queues the product of a plan, which is locked.
static boostr_status enqueue(Run &run, const CublasLt &library,
                             cublasLtHandle_t handle, ProductPlan &plan,
                             const boostr_cuda_product &product,
                             const Workspace &workspace) {
  const ProductPlan::Descriptors &all = plan.descriptors;
  if (const void *vector = getVector(product))
    if (cublasStatus_t result = library.cublasLtMatmulDescSetAttribute(
            all.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &vector,
            sizeof(vector)))
      return failCall(library, "cublasLtMatmulDescSetAttribute", result);
  bool isDouble = product.element.bits == 64, isAdded = product.addend.data;
  const double numbers[] = {0.0, 1.0};
  const float floats[] = {0.0f, 1.0f};
  auto scale = [&](bool one) -> const void * {
    return isDouble ? static_cast<const void *>(&numbers[one]) : &floats[one];
  };
  cublasStatus_t result = library.cublasLtMatmul(
      handle, all.product, scale(true), product.rhs.data, all.rhs,
      product.lhs.data, all.lhs, scale(isAdded),
      isAdded ? product.addend.data : product.result.data,
      isAdded ? all.addend : all.result, product.result.data, all.result,
      &plan.algorithm, workspace.getBlock(), plan.workspaceBytes, run.stream);
  return result ? failToMultiply(library, result, product) : BOOSTR_OK;
}

/// Queues the product if `workspace` is large enough for its plan, and else
/// sets `needed` to what it takes. Sets `isDone` to whether cuBLASLt could.
static boostr_status tryProduct(Run &run, const CublasLt &library,
                                cublasLtHandle_t handle, ProductPlan &plan,
                                const ProductKey &key,
                                const boostr_cuda_product &product,
                                const Workspace &workspace, size_t &needed,
                                bool &isDone) {
  std::lock_guard<std::mutex> lock(plan.mutex);
  // Kernels of the library may have to be loaded.
  RelaxedCapture relaxed(run.current.driver);
  if (boostr_status status =
          plan.prepare(library, handle, key, getVector(product)))
    return status;
  isDone = plan.isSupported;
  needed = isDone ? plan.workspaceBytes : 0;
  if (!isDone || needed > workspace.getBytes())
    return BOOSTR_OK;
  return enqueue(run, library, handle, plan, product, workspace);
}

/// Sets `isDone` to whether cuBLASLt could.
static boostr_status tryProduct(Run &run, const CublasLt &library,
                                cublasLtHandle_t handle, ProductPlan *plans,
                                const boostr_cuda_product &product,
                                bool &isDone) {
  ProductKey key = makeKey(product, run.current.id);
  ProductPlan &plan = plans[hash(key) % numPlans];
  Workspace workspace(run);
  // The allocator is a host's, so that it is asked while no lock is held and
  // the capture is as the host left it. Meanwhile the plan may become another
  // one, and this one again with another workspace.
  for (;;) {
    size_t needed;
    if (boostr_status status = tryProduct(run, library, handle, plan, key,
                                          product, workspace, needed, isDone))
      return status;
    if (needed <= workspace.getBytes())
      return BOOSTR_OK;
    if (boostr_status status = workspace.resize(needed))
      return status;
  }
}

//===----------------------------------------------------------------------===//
// ProductCache
//===----------------------------------------------------------------------===//

ProductCache::~ProductCache() {
  delete[] plans.load();
  const CublasLt *library = nullptr;
  for (Handle *it = handles.load(), *next; it; it = next) {
    next = it->next;
    (void)getCublasLt(library, /*isOptional=*/true);
    if (library)
      (void)library->cublasLtDestroy(it->handle);
    delete it;
  }
}

boostr_status ProductCache::getHandle(const CurrentContext &current,
                                      const CublasLt &library,
                                      cublasLtHandle_t &handle) {
  auto find = [&] {
    Handle *it = handles.load(std::memory_order_acquire);
    while (it && it->contextId != current.id)
      it = it->next;
    return it;
  };
  Handle *found = find();
  if (!found) {
    std::lock_guard<std::mutex> lock(handleMutexes[current.device]);
    // Another thread may have been faster.
    found = find();
    if (!found) {
      RelaxedCapture relaxed(current.driver);
      cublasLtHandle_t created = nullptr;
      if (cublasStatus_t result = library.cublasLtCreate(&created))
        return failCall(library, "cublasLtCreate", result);
      found = new (std::nothrow) Handle{current.id, created, /*next=*/nullptr};
      if (!found) {
        (void)library.cublasLtDestroy(created);
        return fail(BOOSTR_OUT_OF_MEMORY,
                    "cannot allocate a handle of cuBLASLt");
      }
      pushFront(handles, found);
    }
  }
  handle = found->handle;
  return BOOSTR_OK;
}

boostr_status ProductCache::getPlans(ProductPlan *&all) {
  all = plans.load(std::memory_order_acquire);
  if (all)
    return BOOSTR_OK;
  std::lock_guard<std::mutex> lock(mutex);
  all = plans.load(std::memory_order_acquire);
  if (!all) {
    all = new (std::nothrow) ProductPlan[numPlans];
    if (!all)
      return fail(BOOSTR_OUT_OF_MEMORY, "cannot allocate plans of products");
    plans.store(all, std::memory_order_release);
  }
  return BOOSTR_OK;
}

boostr_status ProductCache::multiply(Run &run,
                                     const boostr_cuda_product &product,
                                     int32_t &done) {
  done = BOOSTR_CUDA_NOTHING;
  const CublasLt *library;
  if (boostr_status status =
          getCublasLt(library, product.flags & BOOSTR_CUDA_OPTIONAL))
    return status;
  // What cuBLASLt takes for an error.
  if (!library || product.steps == 0)
    return BOOSTR_OK;
  if (product.rows == 0 || product.columns == 0 || product.batch == 0) {
    done = BOOSTR_CUDA_PRODUCT;
    return BOOSTR_OK;
  }
  cublasLtHandle_t handle;
  ProductPlan *all;
  if (boostr_status status = getHandle(run.current, *library, handle))
    return status;
  if (boostr_status status = getPlans(all))
    return status;
  bool isDone = false;
  if (boostr_status status =
          tryProduct(run, *library, handle, all, product, isDone))
    return status;
  if (isDone) {
    done =
        product.lhs_sums ? BOOSTR_CUDA_PRODUCT_AND_SUMS : BOOSTR_CUDA_PRODUCT;
    return BOOSTR_OK;
  }
  if (!product.lhs_sums)
    return BOOSTR_OK;
  boostr_cuda_product bare = product;
  bare.lhs_sums = nullptr;
  if (boostr_status status =
          tryProduct(run, *library, handle, all, bare, isDone))
    return status;
  if (isDone)
    done = BOOSTR_CUDA_PRODUCT;
  return BOOSTR_OK;
}

int32_t boostr_cuda_multiply(const boostr_cuda_product *product) noexcept {
  Frame *frame = enterFromCode("boostr_cuda_multiply");
  if (!frame)
    return BOOSTR_CUDA_NOTHING;
  if (frame->invocation.mustStop())
    frame->leave();
  Run &run = *frame->invocation.run;
  int32_t done;
  if (boostr_status status =
          run.resources.products.multiply(run, *product, done))
    leave(*frame, status);
  return done;
}

int32_t boostr_cuda_has_cublaslt(void) noexcept {
  Frame *frame = enterFromCode("boostr_cuda_has_cublaslt");
  if (!frame)
    return 0;
  const CublasLt *library;
  if (boostr_status status = getCublasLt(library, /*isOptional=*/true))
    leave(*frame, status);
  return library != nullptr;
}
