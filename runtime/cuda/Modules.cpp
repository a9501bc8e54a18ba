// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/cuda/Modules.h"

#include "boostr/runtime/cuda/GrowingList.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

int32_t boostr::runtime::cuda::fitOfChip(const char *chip, int32_t capability) {
  if (std::strncmp(chip, "sm_", 3) != 0 || chip[3] < '1' || chip[3] > '9')
    return 0;
  char *suffix;
  long number = std::strtol(chip + 3, &suffix, 10);
  bool isSameMajor = number / 10 == capability / 10;
  if (!isSameMajor || number > capability)
    return 0;
  auto fit = static_cast<int32_t>(3 * number);
  if (*suffix == '\0')
    return fit;
  // The instructions of one chip, and of a family of chips.
  if (std::strcmp(suffix, "a") == 0)
    return number == capability ? fit + 2 : 0;
  return std::strcmp(suffix, "f") == 0 ? fit + 1 : 0;
}

static bool isPtx(const boostr_cuda_image &image) { return !*image.chip; }

/// The image to load on a device; null if there is none.
static const boostr_cuda_image *choose(const boostr_cuda_module &module,
                                       int32_t capability) {
  const boostr_cuda_image *best = nullptr, *ptx = nullptr;
  int32_t bestFit = 0;
  for (int32_t i = 0; i < module.num_images; ++i) {
    const boostr_cuda_image &image = module.images[i];
    if (isPtx(image)) {
      if (!ptx)
        ptx = &image;
      continue;
    }
    int32_t fit = fitOfChip(image.chip, capability);
    if (fit > bestFit) {
      best = &image;
      bestFit = fit;
    }
  }
  return best ? best : ptx;
}

boostr_status boostr::runtime::cuda::getCapability(const Driver &driver,
                                                   CUdevice device,
                                                   int32_t &capability) {
  int numbers[2];
  const CUdevice_attribute attributes[2] = {
      CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
      CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR};
  for (int i = 0; i < 2; ++i)
    if (CUresult result =
            driver.cuDeviceGetAttribute(&numbers[i], attributes[i], device))
      return failCall(driver, "cuDeviceGetAttribute", result);
  capability = 10 * numbers[0] + numbers[1];
  return BOOSTR_OK;
}

static boostr_status failForChip(const boostr_cuda_module &module,
                                 CUdevice device, int32_t capability) {
  Message message{};
  message << "expected code for sm_" << int64_t{capability} << " ("
          << DLDevice{kDLCUDA, device} << "), got ";
  for (int32_t i = 0; i < module.num_images; ++i)
    message << (i == 0 ? "" : ", ") << module.images[i].chip;
  return fail(BOOSTR_UNSUPPORTED, message << (module.num_images ? "" : "none"));
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

namespace boostr::runtime::cuda {
/// Not changed any more once it is in the cache, but for the kernels.
struct LoadedModule {
  LoadedModule(const CurrentContext &current, const boostr_cuda_module &module)
      : driver(current.driver), context(current.context), contextId(current.id),
        numKernels(module.num_kernels) {
    std::memcpy(key, module.key, sizeof(key));
  }
  LoadedModule(const LoadedModule &) = delete;
  LoadedModule &operator=(const LoadedModule &) = delete;
  ~LoadedModule();

  const Driver &driver;
  const CUcontext context;
  const unsigned long long contextId;
  const int32_t numKernels;
  uint8_t key[sizeof(boostr_cuda_module::key)];
  CUmodule module = nullptr;
  std::unique_ptr<Kernel[]> kernels;
  LoadedModule *next = nullptr;
};
} // namespace boostr::runtime::cuda

LoadedModule::~LoadedModule() {
  if (!module)
    return;
  // Not if the CUcontext is gone, and its modules with it, or if the driver is,
  // as it may be when the process ends.
  unsigned long long id;
  if (driver.cuCtxGetId(context, &id) != CUDA_SUCCESS || id != contextId ||
      driver.cuCtxPushCurrent(context) != CUDA_SUCCESS)
    return;
  CUcontext popped;
  (void)driver.cuModuleUnload(module);
  (void)driver.cuCtxPopCurrent(&popped);
}

static boostr_status failToLoad(const Driver &driver, CUresult result,
                                const char *log) {
  Message message{};
  describe(message, driver, "cuModuleLoadDataEx", result);
  if (*log)
    message << ": " << log;
  return fail(statusOf(result), message);
}

static boostr_status loadImage(const Driver &driver, const void *data,
                               CUmodule &module) {
  char log[512] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log))};
  CUresult result =
      driver.cuModuleLoadDataEx(&module, data, 2, options, values);
  log[sizeof(log) - 1] = '\0';
  return result ? failToLoad(driver, result, log) : BOOSTR_OK;
}

static boostr_status loadPtx(const Driver &driver,
                             const boostr_cuda_image &image, CUmodule &module) {
  // The driver looks for the zero byte that compiled code need not have.
  std::unique_ptr<char[]> text(new (std::nothrow) char[image.size + 1]);
  if (!text)
    return fail(BOOSTR_OUT_OF_MEMORY, "cannot allocate memory for PTX");
  std::memcpy(text.get(), image.data, image.size);
  text[image.size] = '\0';
  return loadImage(driver, text.get(), module);
}

static boostr_status getKernels(const Driver &driver,
                                const boostr_cuda_module &module,
                                LoadedModule &loaded) {
  loaded.kernels.reset(new (std::nothrow) Kernel[loaded.numKernels]);
  if (!loaded.kernels)
    return fail(BOOSTR_OUT_OF_MEMORY, "cannot allocate a list of kernels");
  for (int32_t i = 0; i < loaded.numKernels; ++i) {
    Kernel &kernel = loaded.kernels[i];
    CUresult result = driver.cuModuleGetFunction(
        &kernel.function, loaded.module, module.kernels[i]);
    if (result) {
      Message message{};
      describe(message, driver, "cuModuleGetFunction", result);
      return fail(statusOf(result),
                  message << ", for kernel '" << module.kernels[i] << "'");
    }
    int bytes = 0;
    result = driver.cuFuncGetAttribute(
        &bytes, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
        kernel.function);
    if (result)
      return failCall(driver, "cuFuncGetAttribute", result);
    kernel.sharedBytes = static_cast<uint32_t>(bytes);
  }
  return BOOSTR_OK;
}

static boostr_status loadInto(const CurrentContext &current,
                              const boostr_cuda_module &module,
                              LoadedModule &loaded) {
  const Driver &driver = current.driver;
  int32_t capability;
  if (boostr_status status =
          getCapability(current.driver, current.device, capability))
    return status;
  const boostr_cuda_image *image = choose(module, capability);
  if (!image)
    return failForChip(module, current.device, capability);
  RelaxedCapture relaxed(driver);
  if (boostr_status status =
          isPtx(*image) ? loadPtx(driver, *image, loaded.module)
                        : loadImage(driver, image->data, loaded.module))
    return status;
  return getKernels(driver, module, loaded);
}

//===----------------------------------------------------------------------===//
// ModuleCache
//===----------------------------------------------------------------------===//

ModuleCache::~ModuleCache() {
  for (std::atomic<LoadedModule *> &bucket : buckets)
    for (LoadedModule *it = bucket.load(), *next; it; it = next) {
      next = it->next;
      delete it;
    }
}

LoadedModule *ModuleCache::find(const CurrentContext &current,
                                const boostr_cuda_module &module) {
  // The key is a hash already.
  std::atomic<LoadedModule *> &bucket = buckets[module.key[0] % numBuckets];
  LoadedModule *it = bucket.load(std::memory_order_acquire);
  while (it && (it->contextId != current.id ||
                std::memcmp(it->key, module.key, sizeof(it->key)) != 0))
    it = it->next;
  return it;
}

boostr_status ModuleCache::load(const CurrentContext &current,
                                const boostr_cuda_module &module,
                                LoadedModule *&loaded) {
  std::lock_guard<std::mutex> lock(mutexes[current.device]);
  // Another thread may have been faster.
  loaded = find(current, module);
  if (loaded)
    return BOOSTR_OK;
  std::unique_ptr<LoadedModule> created(new (std::nothrow)
                                            LoadedModule(current, module));
  if (!created)
    return fail(BOOSTR_OUT_OF_MEMORY, "cannot allocate a module");
  if (boostr_status status = loadInto(current, module, *created))
    return status;
  loaded = created.release();
  pushFront(buckets[module.key[0] % numBuckets], loaded);
  return BOOSTR_OK;
}

/// The number of blocks; 1 if there are no clusters.
static uint64_t clusterSize(const boostr_cuda_grid &grid) {
  uint64_t size = 1;
  for (uint32_t extent : grid.cluster)
    size *= extent > 1 ? extent : 1;
  return size;
}

boostr_status ModuleCache::allow(const CurrentContext &current, Kernel &kernel,
                                 const boostr_cuda_grid &grid) {
  constexpr uint64_t portableClusterSize = 8;
  bool needsMemory =
      grid.shared_bytes > kernel.sharedBytes.load(std::memory_order_acquire);
  bool needsClusters = clusterSize(grid) > portableClusterSize &&
                       !kernel.largeClusters.load(std::memory_order_acquire);
  if (!needsMemory && !needsClusters)
    return BOOSTR_OK;
  const Driver &driver = current.driver;
  std::lock_guard<std::mutex> lock(mutexes[current.device]);
  auto set = [&](CUfunction_attribute attribute, int value) {
    CUresult result =
        driver.cuFuncSetAttribute(kernel.function, attribute, value);
    return result ? failCall(driver, "cuFuncSetAttribute", result) : BOOSTR_OK;
  };
  if (grid.shared_bytes > kernel.sharedBytes) {
    if (boostr_status status =
            set(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                static_cast<int>(grid.shared_bytes)))
      return status;
    kernel.sharedBytes.store(grid.shared_bytes, std::memory_order_release);
  }
  if (needsClusters) {
    if (boostr_status status =
            set(CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1))
      return status;
    kernel.largeClusters.store(true, std::memory_order_release);
  }
  return BOOSTR_OK;
}

boostr_status ModuleCache::getKernel(const CurrentContext &current,
                                     const boostr_cuda_module &module,
                                     int32_t index,
                                     const boostr_cuda_grid &grid,
                                     CUfunction &function) {
  LoadedModule *loaded = find(current, module);
  if (!loaded)
    if (boostr_status status = load(current, module, loaded))
      return status;
  if (index < 0 || index >= loaded->numKernels)
    return fail(BOOSTR_INTERNAL, Message{} << "kernel: expected one from 0 to "
                                           << int64_t{loaded->numKernels} - 1
                                           << ", got " << int64_t{index});
  Kernel &kernel = loaded->kernels[index];
  function = kernel.function;
  return allow(current, kernel, grid);
}
