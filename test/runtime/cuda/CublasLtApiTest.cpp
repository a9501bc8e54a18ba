// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Compares our declarations of cuBLASLt with NVIDIA's, where they are
// installed.

#include "boostr/runtime/cuda/CublasLtApi.h"

#include "gtest/gtest.h"
#include <type_traits>

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

namespace ours = boostr::runtime::cuda;

#define SAME_VALUE(NAME)                                                       \
  static_assert(static_cast<int>(ours::NAME) == static_cast<int>(::NAME))
#define SAME_SIZE(NAME) static_assert(sizeof(ours::NAME) == sizeof(::NAME))
#define SAME_PLACE(STRUCT, FIELD)                                              \
  static_assert(offsetof(ours::STRUCT, FIELD) == offsetof(::STRUCT, FIELD) &&  \
                sizeof(ours::STRUCT::FIELD) == sizeof(::STRUCT::FIELD))

SAME_VALUE(CUBLAS_STATUS_SUCCESS);
SAME_VALUE(CUBLAS_STATUS_NOT_INITIALIZED);
SAME_VALUE(CUBLAS_STATUS_ALLOC_FAILED);
SAME_VALUE(CUBLAS_STATUS_INVALID_VALUE);
SAME_VALUE(CUBLAS_STATUS_ARCH_MISMATCH);
SAME_VALUE(CUBLAS_STATUS_NOT_SUPPORTED);
SAME_VALUE(CUBLAS_OP_N);
SAME_VALUE(CUBLAS_OP_T);
SAME_VALUE(CUBLAS_COMPUTE_32F);
SAME_VALUE(CUBLAS_COMPUTE_64F);
SAME_VALUE(CUBLAS_COMPUTE_32F_FAST_TF32);
SAME_VALUE(CUDA_R_32F);
SAME_VALUE(CUDA_R_64F);
SAME_VALUE(CUDA_R_16F);
SAME_VALUE(CUDA_R_16BF);
SAME_VALUE(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
SAME_VALUE(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
SAME_VALUE(CUBLASLT_MATMUL_DESC_TRANSA);
SAME_VALUE(CUBLASLT_MATMUL_DESC_TRANSB);
SAME_VALUE(CUBLASLT_MATMUL_DESC_EPILOGUE);
SAME_VALUE(CUBLASLT_MATMUL_DESC_BIAS_POINTER);
SAME_VALUE(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE);
SAME_VALUE(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE);
SAME_VALUE(CUBLASLT_EPILOGUE_DEFAULT);
SAME_VALUE(CUBLASLT_EPILOGUE_BIAS);
SAME_VALUE(CUBLASLT_EPILOGUE_BGRADB);
SAME_VALUE(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
SAME_VALUE(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME_VALUE(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
SAME_VALUE(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
SAME_VALUE(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
SAME_VALUE(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
SAME_VALUE(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);

SAME_SIZE(cublasLtMatmulAlgo_t);
SAME_SIZE(cublasLtMatmulHeuristicResult_t);
SAME_PLACE(cublasLtMatmulHeuristicResult_t, algo);
SAME_PLACE(cublasLtMatmulHeuristicResult_t, workspaceSize);
SAME_PLACE(cublasLtMatmulHeuristicResult_t, state);
SAME_PLACE(cublasLtMatmulHeuristicResult_t, wavesCount);

/// Whether a call can be made through our declaration: as many parameters, of
/// the same sizes, and a result of the same size.
template <typename Ours, typename Theirs> struct SameCall : std::false_type {};
template <typename R, typename... P, typename S, typename... Q>
struct SameCall<R (*)(P...), S (*)(Q...)> {
  static constexpr bool value = [] {
    if constexpr (sizeof...(P) == sizeof...(Q) && sizeof(R) == sizeof(S))
      return ((sizeof(P) == sizeof(Q)) && ...);
    return false;
  }();
};

namespace boostr::runtime::cuda {
#define DECLARE(FUNCTION, RESULT, PARAMETERS)                                  \
  using type_of_##FUNCTION = RESULT(*) PARAMETERS;
BOOSTR_CUBLASLT_FUNCTIONS(DECLARE)
#undef DECLARE
} // namespace boostr::runtime::cuda

#define COMPARE(FUNCTION, RESULT, PARAMETERS)                                  \
  static_assert(                                                               \
      SameCall<ours::type_of_##FUNCTION, decltype(&::FUNCTION)>::value);
BOOSTR_CUBLASLT_FUNCTIONS(COMPARE)
#undef COMPARE

TEST(CublasLtApi, same_as_nvidias) {}
#else
TEST(CublasLtApi, same_as_nvidias) {
  GTEST_SKIP() << "cublasLt.h is not installed";
}
#endif
