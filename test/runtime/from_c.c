// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The header as a C11 program sees it: a function of one input and one output,
// described by hand, called through the checked entry and the plain one.

#include "boostr/runtime/boostr_runtime.h"

#include <stdio.h>

int boostr_test_from_c(char *message, size_t size);

static void negate(void **descriptors) {
  const boostr_memref_1d *x = descriptors[0];
  const boostr_memref_1d *y = descriptors[1];
  const float *from = (const float *)x->aligned + x->offset;
  float *to = (float *)y->aligned + y->offset;
  for (int64_t i = 0; i < x->sizes[0]; ++i)
    to[i * y->strides[0]] = -from[i * x->strides[0]];
}

static int64_t same_shape(const int64_t *inputs, int64_t *outputs) {
  outputs[0] = inputs[0];
  return 0;
}

static const int64_t any_vector[] = {-1};
static const boostr_tensor_spec x_spec = {
    "x", {kDLFloat, 32, 1}, 1, any_vector};
static const boostr_tensor_spec y_spec = {
    "y", {kDLFloat, 32, 1}, 1, any_vector};
static const boostr_function negate_function = {
    BOOSTR_ABI_VERSION, "negate", 1,    1,      &x_spec, &y_spec, negate,
    same_shape,         0,        NULL, kDLCPU, 0,       NULL,    NULL,
    boostr_runtime_copy};

static boostr_status negate_checked(boostr_context *context, float *x, float *y,
                                    int64_t x_extent, int64_t y_extent) {
  DLTensor in = {x, {kDLCPU, 0}, 1, {kDLFloat, 32, 1}, &x_extent, NULL, 0};
  DLTensor out = {y, {kDLCPU, 0}, 1, {kDLFloat, 32, 1}, &y_extent, NULL, 0};
  const DLTensor *inputs[] = {&in};
  const DLTensor *outputs[] = {&out};
  return boostr_call(context, &negate_function, inputs, 1, outputs, 1);
}

/// Returns 0, or else has written what went wrong.
int boostr_test_from_c(char *message, size_t size) {
  float x[3] = {1, 2, 3}, y[3] = {0, 0, 0};
  boostr_context_options options = {0};
  options.num_threads = 2;
  boostr_context *context = NULL;
  if (boostr_context_create(&options, &context) != BOOSTR_OK ||
      negate_checked(context, x, y, 3, 3) != BOOSTR_OK || y[2] != -3) {
    snprintf(message, size, "checked call: %s", boostr_last_error());
    return 1;
  }
  if (negate_checked(context, x, y, 3, 2) != BOOSTR_INVALID_ARGUMENT) {
    snprintf(message, size, "checked call with a wrong shape succeeded");
    return 1;
  }
  boostr_memref_1d in = {y, y, 0, {3}, {1}}, out = {x, x, 0, {3}, {1}};
  void *descriptors[] = {&in, &out};
  if (boostr_invoke(context, &negate_function, descriptors) != BOOSTR_OK ||
      x[0] != 1) {
    snprintf(message, size, "plain call: %s", boostr_last_error());
    return 1;
  }
  boostr_context_destroy(context);
  return 0;
}
