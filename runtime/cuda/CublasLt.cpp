// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/cuda/CublasLt.h"

#include "boostr/runtime/cuda/Library.h"

#include <cstdlib>

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

/// A path that is taken instead of all others.
static constexpr const char *variable = "BOOSTR_CUBLASLT_LIBRARY";
/// By the loader's rules, and where NVIDIA's packages put it.
static constexpr const char *names[] = {
    "libcublasLt.so.13", "libcublasLt.so.12",
    "/usr/local/cuda/lib64/libcublasLt.so.13",
    "/usr/local/cuda/lib64/libcublasLt.so.12"};

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

/// Looks all functions up; a null pointer, or the one that is not there.
static const char *lookUpAll(void *handle, CublasLt &library) {
#define BOOSTR_CUBLASLT_LOOK_UP(FUNCTION, RESULT, PARAMETERS)                  \
  if (!lookUp(handle, #FUNCTION, library.FUNCTION))                            \
    return #FUNCTION;
  BOOSTR_CUBLASLT_FUNCTIONS(BOOSTR_CUBLASLT_LOOK_UP)
#undef BOOSTR_CUBLASLT_LOOK_UP
  return nullptr;
}

/// The first of `names` that opens with these flags.
static void *openFirst(int flags) {
  for (const char *name : names)
    if (void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | flags))
      return handle;
  return nullptr;
}

/// Null after a failure. A host's own copy goes before others, two would cost
/// memory of the device twice.
static void *openLibrary(Message &failure) {
  if (const char *path = std::getenv(variable)) {
    if (void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL))
      return handle;
    const char *reason = dlerror();
    failure << "cannot open cuBLASLt as " << variable
            << " says: " << (reason ? reason : path);
    return nullptr;
  }
  void *handle = openFirst(RTLD_NOLOAD);
  if (!handle)
    handle = openFirst(0);
  if (!handle) {
    failure << "cannot open cuBLASLt: looked for";
    const char *separator = " ";
    for (const char *name : names) {
      failure << separator << name;
      separator = ", ";
    }
    failure << "; " << variable << " may say where it is";
  }
  return handle;
}

static void open(OpenedLibrary<CublasLt> &attempt) {
  void *handle = openLibrary(attempt.failure);
  if (!handle)
    return;
  if (const char *missing = lookUpAll(handle, attempt.functions)) {
    attempt.failure << "expected cuBLASLt of CUDA 12.0 or later, got one "
                       "without '"
                    << missing << "'";
    return;
  }
  attempt.succeeded = true;
}

boostr_status boostr::runtime::cuda::getCublasLt(const CublasLt *&library,
                                                 bool isOptional) {
  const auto *attempt = openOnce<CublasLt>(open, "cuBLASLt's");
  if (!attempt)
    return BOOSTR_OUT_OF_MEMORY;
  library = attempt->succeeded ? &attempt->functions : nullptr;
  if (library || isOptional)
    return BOOSTR_OK;
  return fail(BOOSTR_UNAVAILABLE, attempt->failure);
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

boostr_status boostr::runtime::cuda::statusOf(cublasStatus_t result) {
  switch (result) {
  case CUBLAS_STATUS_SUCCESS:
    return BOOSTR_OK;
  case CUBLAS_STATUS_ALLOC_FAILED:
    return BOOSTR_OUT_OF_MEMORY;
  case CUBLAS_STATUS_NOT_INITIALIZED:
    return BOOSTR_UNAVAILABLE;
  case CUBLAS_STATUS_ARCH_MISMATCH:
  case CUBLAS_STATUS_NOT_SUPPORTED:
    return BOOSTR_UNSUPPORTED;
  default:
    return BOOSTR_INTERNAL;
  }
}

Message &boostr::runtime::cuda::describe(Message &message,
                                         const CublasLt &library,
                                         const char *call,
                                         cublasStatus_t result) {
  message << call << ": ";
  if (const char *name = library.cublasLtGetStatusName(result))
    return message << name;
  return message << "error " << int64_t{result};
}

boostr_status boostr::runtime::cuda::failCall(const CublasLt &library,
                                              const char *call,
                                              cublasStatus_t result) {
  Message message{};
  describe(message, library, call, result);
  return fail(statusOf(result), message);
}
