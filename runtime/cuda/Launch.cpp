// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Kernels: what compiled code calls to start them.

#include "boostr/runtime/Invocation.h"
#include "boostr/runtime/cuda/Run.h"

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

static bool isEmpty(const boostr_cuda_grid &grid) {
  return grid.grid[0] == 0 || grid.grid[1] == 0 || grid.grid[2] == 0;
}

static bool hasClusters(const boostr_cuda_grid &grid) {
  return grid.cluster[0] > 1 || grid.cluster[1] > 1 || grid.cluster[2] > 1;
}

static CUlaunchAttribute getClusters(const boostr_cuda_grid &grid) {
  auto atLeastOne = [](uint32_t extent) { return extent ? extent : 1; };
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim = {atLeastOne(grid.cluster[0]),
                                atLeastOne(grid.cluster[1]),
                                atLeastOne(grid.cluster[2])};
  return attribute;
}

/// Lets a kernel begin when that before allows it.
static CUlaunchAttribute getEarlyBegin() {
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  attribute.value.programmaticStreamSerializationAllowed = 1;
  return attribute;
}

static CUresult launch(const Run &run, CUfunction function,
                       const boostr_cuda_grid &grid, void **params,
                       bool beginsEarly) {
  CUlaunchConfig config;
  config.gridDimX = grid.grid[0];
  config.gridDimY = grid.grid[1];
  config.gridDimZ = grid.grid[2];
  config.blockDimX = grid.block[0];
  config.blockDimY = grid.block[1];
  config.blockDimZ = grid.block[2];
  config.sharedMemBytes = grid.shared_bytes;
  config.hStream = run.stream;
  CUlaunchAttribute attributes[2];
  config.attrs = attributes;
  config.numAttrs = 0;
  if (hasClusters(grid))
    attributes[config.numAttrs++] = getClusters(grid);
  if (beginsEarly)
    attributes[config.numAttrs++] = getEarlyBegin();
  return run.current.driver.cuLaunchKernelEx(&config, function, params,
                                             nullptr);
}

static void describeExtents(Message &message, const char *name,
                            const uint32_t *extents) {
  int64_t numbers[] = {extents[0], extents[1], extents[2]};
  (message << name).list(numbers, 3, /*markDynamic=*/false);
}

/// What the driver says is often too little: a wrong grid, a block that asks
/// for too many registers and parameters of a wrong size are all invalid
/// values.
static boostr_status failToLaunch(const Driver &driver, CUresult result,
                                  const char *kernel,
                                  const boostr_cuda_grid &grid) {
  Message message{};
  describe(message, driver, "cuLaunchKernelEx", result)
      << ", for kernel '" << kernel << "'";
  describeExtents(message, " with grid ", grid.grid);
  describeExtents(message, ", block ", grid.block);
  if (hasClusters(grid))
    describeExtents(message, ", cluster ", grid.cluster);
  message << ", " << int64_t{grid.shared_bytes} << " bytes of shared memory";
  return fail(statusOf(result), message);
}

/// `isIndependent`: of the kernel that compiled code asked for before.
static void launch(Frame &frame, const boostr_cuda_module &module,
                   int32_t kernel, const boostr_cuda_grid &grid, void **params,
                   bool isIndependent) {
  if (frame.invocation.mustStop())
    frame.leave();
  Run &run = *frame.invocation.run;
  // Where that was not launched, the one before is of someone else.
  bool beginsEarly = isIndependent && run.hasLaunchedLast;
  run.hasLaunchedLast = !isEmpty(grid);
  if (isEmpty(grid))
    return;
  CUfunction function;
  if (boostr_status status = run.resources.modules.getKernel(
          run.current, module, kernel, grid, function))
    leave(frame, status);
  if (CUresult result = launch(run, function, grid, params, beginsEarly))
    leave(frame, failToLaunch(run.current.driver, result,
                              module.kernels[kernel], grid));
}

void boostr_cuda_launch(const boostr_cuda_module *module, int32_t kernel,
                        const boostr_cuda_grid *grid, void **params) noexcept {
  if (Frame *frame = enterFromCode("boostr_cuda_launch"))
    launch(*frame, *module, kernel, *grid, params, /*isIndependent=*/false);
}

void boostr_cuda_launch_beside(const boostr_cuda_module *module, int32_t kernel,
                               const boostr_cuda_grid *grid,
                               void **params) noexcept {
  if (Frame *frame = enterFromCode("boostr_cuda_launch_beside"))
    launch(*frame, *module, kernel, *grid, params, /*isIndependent=*/true);
}

int32_t boostr_cuda_multiprocessors(void) noexcept {
  Frame *frame = enterFromCode("boostr_cuda_multiprocessors");
  if (!frame)
    return 0;
  Run &run = *frame->invocation.run;
  CUdevice device = run.current.device;
  std::atomic<int32_t> *known = device < Resources::numKnownDevices
                                    ? &run.resources.multiprocessors[device]
                                    : nullptr;
  if (known)
    if (int32_t count = known->load(std::memory_order_relaxed))
      return count;
  const Driver &driver = run.current.driver;
  int count = 0;
  if (CUresult result = driver.cuDeviceGetAttribute(
          &count, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device))
    leave(*frame, failCall(driver, "cuDeviceGetAttribute", result));
  if (known)
    known->store(count, std::memory_order_relaxed);
  return count;
}
