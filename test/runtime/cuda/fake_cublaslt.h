// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A libcublasLt.so.13 for tests: computes products of f32 and f64 in the memory
// of the host, with an account of what was asked of it.

#ifndef BOOSTR_TEST_RUNTIME_CUDA_FAKE_CUBLASLT_H
#define BOOSTR_TEST_RUNTIME_CUDA_FAKE_CUBLASLT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the nth call from now on (1 is the next one) of the function return
 * `result`. One such wish at a time; 0 is none. */
void fake_lt_fail(const char *function, int nth, int result);

/* How often a function was called; of any thread. */
int fake_lt_count(const char *function);

/* Forgets counts, the wish and all settings. */
void fake_lt_forget(void);

/* Descriptors, layouts, preferences and handles that were not given back. */
int fake_lt_num_objects(void);

/* What the heuristic asks for. */
void fake_lt_set_workspace(size_t bytes);

/* An epilogue that the heuristic finds nothing for; 0 is none. */
void fake_lt_set_unsupported(uint32_t epilogue);

typedef struct fake_lt_product {
  int compute_type, scale_type, bias_type;
  uint32_t epilogue;
  int element, result_element;
  int32_t batch;
  size_t workspace_bytes;
  void *workspace, *stream;
  /* Of the last call of the heuristic. */
  uint64_t max_workspace_bytes;
  uint32_t reduction_mask, alignments[4];
} fake_lt_product;

/* The last one. */
fake_lt_product fake_lt_last_product(void);

#ifdef __cplusplus
}
#endif

#endif /* BOOSTR_TEST_RUNTIME_CUDA_FAKE_CUBLASLT_H */
