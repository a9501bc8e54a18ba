// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// cuBLASLt, opened when first needed, and the words for its errors.

#ifndef BOOSTR_RUNTIME_CUDA_CUBLASLT_H
#define BOOSTR_RUNTIME_CUDA_CUBLASLT_H

#include "boostr/runtime/Status.h"
#include "boostr/runtime/cuda/CublasLtApi.h"

namespace boostr::runtime::cuda {

/// The library's functions, as members of their names.
struct CublasLt {
#define BOOSTR_CUBLASLT_MEMBER(FUNCTION, RESULT, PARAMETERS)                   \
  RESULT(*FUNCTION) PARAMETERS;
  BOOSTR_CUBLASLT_FUNCTIONS(BOOSTR_CUBLASLT_MEMBER)
#undef BOOSTR_CUBLASLT_MEMBER
};

/// Sets `library` to cuBLASLt, or to null if there is none and it is
/// `isOptional`. Of several the one that is in the process already is taken.
/// The outcome of the first call is that of all later ones.
/// Errors: UNAVAILABLE, with what was looked for.
boostr_status getCublasLt(const CublasLt *&library, bool isOptional);

/// What a caller can do about an error.
boostr_status statusOf(cublasStatus_t result);

/// Appends "cublasLtMatmul: CUBLAS_STATUS_INVALID_VALUE".
Message &describe(Message &message, const CublasLt &library, const char *call,
                  cublasStatus_t result);

/// Makes the error of a call the calling thread's last one.
boostr_status failCall(const CublasLt &library, const char *call,
                       cublasStatus_t result);

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_CUBLASLT_H
