// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A libcuda.so.1 for tests: two devices whose memory is that of the host and
// whose kernels do nothing, with an account of what was asked of it.

#ifndef BOOSTR_TEST_RUNTIME_CUDA_FAKE_DRIVER_H
#define BOOSTR_TEST_RUNTIME_CUDA_FAKE_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FAKE_NUM_DEVICES = 2 };

/* Makes the nth call from now on (1 is the next one) of the function, or of any
 * function for NULL, return `result`. One such wish at a time; 0 is none. */
void fake_fail(const char *function, int nth, int result);

/* Whether a call has failed on request since fake_fail. */
int fake_has_failed(void);

/* How often a function was called; of any thread. */
int fake_count(const char *function);
int fake_count_all(void);

/* Forgets counts, launches and the wish of fake_fail. */
void fake_forget(void);

/* 10 * major + minor; 90 and 80 at first. */
void fake_set_capability(int device, int capability);

/* 1000 * major + 10 * minor; 12040 at first. */
void fake_set_version(int version);

/* The compiler's words about PTX that fails to load. */
void fake_set_log(const char *log);

/* What is there and has not been given back. */
int fake_num_modules(void);
int fake_num_blocks(void);
int fake_num_pools(void);
uint64_t fake_pool_threshold(void);

/* A CUcontext that is not a primary one; its end. */
void *fake_create_context(int device);
void fake_destroy_context(void *context);
void *fake_primary_context(int device);

/* The CUcontext of the calling thread. */
void *fake_current_context(void);
void fake_set_current_context(void *context);

/* A stream of a CUcontext, never freed. */
void *fake_create_stream(void *context);

/* Forgets what is left, as with a destroyed CUcontext. */
void fake_drop_module(void);
void fake_drop_blocks(void);

/* Makes modules that are loaded for `device` wait until one was loaded for
 * another device, at most 2 s, then fail; -1 ends that. */
void fake_set_waiting_device(int device);

/* Whether the calling thread is in a capture, during which modules must not be
 * loaded unless the mode of the thread was exchanged. */
void fake_set_capturing(int capturing);

typedef struct fake_launch {
  char kernel[64];
  /* The image that the kernel is in. */
  char image[64];
  void *context;
  void *stream;
  uint32_t grid[3], block[3], cluster[3];
  /* Whether it may begin before the kernel before it ends. */
  int begins_early;
  uint32_t shared_bytes;
  void **params;
} fake_launch;

/* The last one. */
fake_launch fake_last_launch(void);
int fake_num_launches(void);

/* An attribute of the kernel of that name in any module; 0 if it was not set.
 */
int fake_attribute(const char *kernel, int attribute);

typedef struct fake_tensor_map {
  int element, rank, interleave, swizzle, promotion, fill;
  void *address;
  uint64_t extents[5], strides[4];
  uint32_t box[5], steps[5];
} fake_tensor_map;

/* The last one. */
fake_tensor_map fake_last_tensor_map(void);

#ifdef __cplusplus
}
#endif

#endif /* BOOSTR_TEST_RUNTIME_CUDA_FAKE_DRIVER_H */
