// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The modules that a context has loaded.

#ifndef BOOSTR_RUNTIME_CUDA_MODULES_H
#define BOOSTR_RUNTIME_CUDA_MODULES_H

#include "boostr/runtime/boostr_runtime.h"
#include "boostr/runtime/cuda/CurrentContext.h"
#include "boostr/runtime/cuda/DeviceMutexes.h"

#include <atomic>

namespace boostr::runtime::cuda {

/// A kernel in a CUcontext, with what has been allowed for it.
struct Kernel {
  CUfunction function = nullptr;
  /// How much dynamic shared memory it may have.
  std::atomic<uint32_t> sharedBytes{0};
  /// Whether its clusters may have more than the 8 blocks that run anywhere.
  std::atomic<bool> largeClusters{false};
};

struct LoadedModule;

/// Modules by their keys and CUcontexts. Looking one up takes no lock.
class ModuleCache {
public:
  ModuleCache() = default;
  ModuleCache(const ModuleCache &) = delete;
  ModuleCache &operator=(const ModuleCache &) = delete;

  /// Unloads all modules.
  ~ModuleCache();

  /// Sets `kernel` to kernel `index` of the module, which is loaded into the
  /// current CUcontext if it is not there, with what the grid needs allowed.
  boostr_status getKernel(const CurrentContext &current,
                          const boostr_cuda_module &module, int32_t index,
                          const boostr_cuda_grid &grid, CUfunction &function);

private:
  LoadedModule *find(const CurrentContext &current,
                     const boostr_cuda_module &module);
  boostr_status load(const CurrentContext &current,
                     const boostr_cuda_module &module, LoadedModule *&loaded);
  boostr_status allow(const CurrentContext &current, Kernel &kernel,
                      const boostr_cuda_grid &grid);

  static constexpr size_t numBuckets = 32;
  std::atomic<LoadedModule *> buckets[numBuckets] = {};
  /// Held to load a module and to change what a kernel is allowed.
  DeviceMutexes mutexes;
};

/// The compute capability of a device, 10 * major + minor.
boostr_status getCapability(const Driver &driver, CUdevice device,
                            int32_t &capability);

/// Whether a cubin for `chip` ("sm_90a") runs on a device of this compute
/// capability, 10 * major + minor, and if so how well it fits: more is better,
/// and 0 is not at all. `chip` may be anything.
int32_t fitOfChip(const char *chip, int32_t capability);

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_MODULES_H
