// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Compares our declarations of the CUDA driver API with NVIDIA's, where they
// are installed.

#include "boostr/runtime/cuda/DriverApi.h"

#include "gtest/gtest.h"
#include <type_traits>

#if __has_include(<cuda.h>)
#include <cuda.h>

namespace ours = boostr::runtime::cuda;

#define SAME_VALUE(NAME)                                                       \
  static_assert(static_cast<int>(ours::NAME) == static_cast<int>(::NAME))
#define SAME_SIZE(NAME) static_assert(sizeof(ours::NAME) == sizeof(::NAME))
#define SAME_PLACE(STRUCT, FIELD)                                              \
  static_assert(offsetof(ours::STRUCT, FIELD) == offsetof(::STRUCT, FIELD) &&  \
                sizeof(ours::STRUCT::FIELD) == sizeof(::STRUCT::FIELD))

SAME_VALUE(CUDA_SUCCESS);
SAME_VALUE(CUDA_ERROR_OUT_OF_MEMORY);
SAME_VALUE(CUDA_ERROR_NOT_INITIALIZED);
SAME_VALUE(CUDA_ERROR_DEINITIALIZED);
SAME_VALUE(CUDA_ERROR_STUB_LIBRARY);
SAME_VALUE(CUDA_ERROR_DEVICE_UNAVAILABLE);
SAME_VALUE(CUDA_ERROR_NO_DEVICE);
SAME_VALUE(CUDA_ERROR_DEVICE_NOT_LICENSED);
SAME_VALUE(CUDA_ERROR_INVALID_CONTEXT);
SAME_VALUE(CUDA_ERROR_NO_BINARY_FOR_GPU);
SAME_VALUE(CUDA_ERROR_ECC_UNCORRECTABLE);
SAME_VALUE(CUDA_ERROR_INVALID_PTX);
SAME_VALUE(CUDA_ERROR_JIT_COMPILER_NOT_FOUND);
SAME_VALUE(CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
SAME_VALUE(CUDA_ERROR_INVALID_HANDLE);
SAME_VALUE(CUDA_ERROR_CONTEXT_IS_DESTROYED);
SAME_VALUE(CUDA_ERROR_NOT_SUPPORTED);
SAME_VALUE(CUDA_ERROR_SYSTEM_NOT_READY);
SAME_VALUE(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
SAME_VALUE(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE);
SAME_VALUE(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
SAME_VALUE(CUDA_ERROR_CAPTURED_EVENT);
SAME_VALUE(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
SAME_VALUE(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
SAME_VALUE(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
SAME_VALUE(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
SAME_VALUE(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
SAME_VALUE(CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
SAME_VALUE(CU_JIT_ERROR_LOG_BUFFER);
SAME_VALUE(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
SAME_VALUE(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL);
SAME_VALUE(CU_STREAM_CAPTURE_MODE_RELAXED);
SAME_VALUE(CU_MEMPOOL_ATTR_RELEASE_THRESHOLD);
SAME_VALUE(CU_MEM_ALLOCATION_TYPE_PINNED);
SAME_VALUE(CU_MEM_LOCATION_TYPE_DEVICE);
SAME_VALUE(CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
SAME_VALUE(CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
SAME_VALUE(CU_TENSOR_MAP_L2_PROMOTION_L2_256B);

SAME_SIZE(CUdevice);
SAME_SIZE(CUdeviceptr);
SAME_SIZE(CUresult);
SAME_SIZE(CUstreamCaptureMode);
SAME_SIZE(CUlaunchAttribute);
SAME_PLACE(CUlaunchAttribute, id);
SAME_PLACE(CUlaunchAttribute, value);
SAME_PLACE(CUlaunchAttribute, value.clusterDim.z);
SAME_PLACE(CUlaunchAttribute, value.programmaticStreamSerializationAllowed);
SAME_SIZE(CUlaunchConfig);
SAME_PLACE(CUlaunchConfig, gridDimZ);
SAME_PLACE(CUlaunchConfig, blockDimX);
SAME_PLACE(CUlaunchConfig, sharedMemBytes);
SAME_PLACE(CUlaunchConfig, hStream);
SAME_PLACE(CUlaunchConfig, attrs);
SAME_PLACE(CUlaunchConfig, numAttrs);
SAME_SIZE(CUmemPoolProps);
SAME_PLACE(CUmemPoolProps, allocType);
SAME_PLACE(CUmemPoolProps, location.type);
SAME_PLACE(CUmemPoolProps, location.id);
SAME_PLACE(CUmemPoolProps, maxSize);
static_assert(sizeof(::CUtensorMap) == 128);

namespace {
/// The same number of parameters, each of the same size.
template <typename Ours, typename Theirs> struct SameParameters;
template <typename... Ours, typename... Theirs>
struct SameParameters<ours::CUresult (*)(Ours...), ::CUresult (*)(Theirs...)>
    : std::bool_constant<((sizeof(Ours) == sizeof(Theirs)) && ...)> {};
} // namespace

#define SAME_PARAMETERS(FUNCTION, SYMBOL, PARAMETERS)                          \
  static_assert(SameParameters<ours::CUresult(*) PARAMETERS,                   \
                               decltype(&::FUNCTION)>::value);
namespace boostr::runtime::cuda {
BOOSTR_CUDA_DRIVER_FUNCTIONS(SAME_PARAMETERS)
} // namespace boostr::runtime::cuda

TEST(CudaDriverApi, agrees_with_header) { SUCCEED(); }
#else
TEST(CudaDriverApi, agrees_with_header) { GTEST_SKIP() << "no cuda.h"; }
#endif
