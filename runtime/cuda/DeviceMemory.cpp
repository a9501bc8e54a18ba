// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/cuda/DeviceMemory.h"

#include "boostr/runtime/Invocation.h"
#include "boostr/runtime/cuda/GrowingList.h"
#include "boostr/runtime/cuda/HostAllocator.h"
#include "boostr/runtime/cuda/Run.h"

#include <new>

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

/// What the driver promises for every block, and a host's allocator is asked
/// for.
static constexpr size_t alignmentOfBlocks = 256;

//===----------------------------------------------------------------------===//
// MemoryPools
//===----------------------------------------------------------------------===//

MemoryPools::~MemoryPools() {
  for (Pool *it = first.load(), *next; it; it = next) {
    next = it->next;
    (void)it->driver.cuMemPoolDestroy(it->pool);
    delete it;
  }
}

MemoryPools::Pool *MemoryPools::find(CUdevice device) {
  Pool *it = first.load(std::memory_order_acquire);
  while (it && it->device != device)
    it = it->next;
  return it;
}

/// A pool that keeps all that is freed.
static boostr_status createPool(const CurrentContext &current,
                                CUmemoryPool &pool) {
  const Driver &driver = current.driver;
  RelaxedCapture relaxed(driver);
  CUmemPoolProps properties{};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, current.device};
  if (CUresult result = driver.cuMemPoolCreate(&pool, &properties))
    return failCall(driver, "cuMemPoolCreate", result);
  uint64_t threshold = UINT64_MAX;
  if (CUresult result = driver.cuMemPoolSetAttribute(
          pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold)) {
    (void)driver.cuMemPoolDestroy(pool);
    return failCall(driver, "cuMemPoolSetAttribute", result);
  }
  return BOOSTR_OK;
}

boostr_status MemoryPools::get(const CurrentContext &current,
                               CUmemoryPool &pool) {
  Pool *found = find(current.device);
  if (!found) {
    std::lock_guard<std::mutex> lock(mutexes[current.device]);
    // Another thread may have been faster.
    found = find(current.device);
    if (!found) {
      CUmemoryPool created;
      if (boostr_status status = createPool(current, created))
        return status;
      found = new (std::nothrow)
          Pool{current.driver, current.device, created, /*next=*/nullptr};
      if (!found) {
        (void)current.driver.cuMemPoolDestroy(created);
        return fail(BOOSTR_OUT_OF_MEMORY, "cannot allocate a memory pool");
      }
      pushFront(first, found);
    }
  }
  pool = found->pool;
  return BOOSTR_OK;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// What has no status to return is told to the invocation. The first failure
/// counts, so that of whoever sees the null pointer does not.
static void *report(boostr_status status) {
  currentFrame()->invocation.report(status, lastFailure());
  return nullptr;
}

static boostr_status takeFromPool(Run &run, size_t bytes, void *&block) {
  const Driver &driver = run.current.driver;
  CUmemoryPool pool;
  if (boostr_status status = run.resources.pools.get(run.current, pool))
    return status;
  CUdeviceptr address = 0;
  if (CUresult result =
          driver.cuMemAllocFromPoolAsync(&address, bytes, pool, run.stream)) {
    Message message{};
    message << "cannot allocate " << static_cast<int64_t>(bytes) << " bytes: ";
    describe(message, driver, "cuMemAllocFromPoolAsync", result);
    return fail(statusOf(result), message);
  }
  block = reinterpret_cast<void *>(static_cast<uintptr_t>(address));
  return BOOSTR_OK;
}

static void *allocate(void *state, size_t bytes, size_t alignment) {
  auto &run = *static_cast<Run *>(state);
  if (alignment > alignmentOfBlocks)
    return report(fail(BOOSTR_INTERNAL,
                       Message{} << "alignment of an allocation on a device: "
                                    "expected at most "
                                 << int64_t{alignmentOfBlocks} << ", got "
                                 << static_cast<int64_t>(alignment)));
  const boostr_cuda_allocator &host = run.resources.allocator;
  void *block = nullptr;
  boostr_status status = host.allocate
                             ? takeBlock(host, {run.current.device, run.stream},
                                         bytes, alignmentOfBlocks, block)
                             : takeFromPool(run, bytes, block);
  return status ? report(status) : block;
}

/// An error of the driver here is that of earlier work, which the next call
/// meets too.
static void release(void *state, void *block, size_t bytes) {
  auto &run = *static_cast<Run *>(state);
  const boostr_cuda_allocator &host = run.resources.allocator;
  if (host.release)
    return giveBlockBack(host, {run.current.device, run.stream}, block, bytes);
  (void)run.current.driver.cuMemFreeAsync(reinterpret_cast<uintptr_t>(block),
                                          run.stream);
}

void boostr_cuda_zero(void *address, size_t bytes) noexcept {
  Frame *frame = enterFromCode("boostr_cuda_zero");
  if (!frame)
    return;
  Run &run = *frame->invocation.run;
  const Driver &driver = run.current.driver;
  if (CUresult result = driver.cuMemsetD8Async(
          reinterpret_cast<uintptr_t>(address), 0, bytes, run.stream))
    leave(*frame, failCall(driver, "cuMemsetD8Async", result));
}

boostr_allocator boostr::runtime::cuda::makeAllocator(Run &run) {
  return {&run, allocate, release};
}
