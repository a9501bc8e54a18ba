// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Calls the functions of call-from-c.mlir as a C program would, with shapes
// that fit and shapes that do not.

#include "boostr/runtime/boostr_runtime.h"

#include <stdio.h>
#include <string.h>

extern const boostr_function *const boostr_module_functions[];
extern const boostr_function project_function;
boostr_status project(const boostr_memref_2d *x, const boostr_memref_2d *w,
                      const boostr_memref_1d *b, const boostr_memref_2d *y);
boostr_status project_dlpack(boostr_context *context,
                             const DLTensor *const *inputs, int32_t num_inputs,
                             const DLTensor *const *outputs,
                             int32_t num_outputs);
boostr_status nothing(void);

static DLTensor make_tensor(float *data, int rank, int64_t *shape) {
  DLTensor tensor;
  memset(&tensor, 0, sizeof(tensor));
  tensor.data = data;
  tensor.device.device_type = kDLCPU;
  tensor.dtype.code = kDLFloat;
  tensor.dtype.bits = 32;
  tensor.dtype.lanes = 1;
  tensor.ndim = rank;
  tensor.shape = shape;
  return tensor;
}

static float x_data[] = {1, 2, 3, 4, 5, 6}, w_data[] = {1, 0, 2, 0, 1, -1};
static float b_data[] = {10, 20}, y_data[4], zeros[4];
static int64_t x_shape[] = {2, 3}, w_shape[] = {3, 2}, b_shape[] = {2};
static int64_t y_shape[] = {2, 2};

// Tries the checked entry and says what became of it.
static void call(void) {
  DLTensor x = make_tensor(x_data, 2, x_shape);
  DLTensor w = make_tensor(w_data, 2, w_shape);
  DLTensor b = make_tensor(b_data, 1, b_shape);
  DLTensor y = make_tensor(y_data, 2, y_shape);
  const DLTensor *inputs[] = {&x, &w, &b}, *outputs[] = {&y};
  int64_t extents[2] = {-1, -1};
  memcpy(y_data, zeros, sizeof(zeros));
  boostr_status status =
      boostr_output_shapes(&project_function, inputs, 3, extents);
  printf("shapes: %s [%d, %d]\n", boostr_status_name(status), (int)extents[0],
         (int)extents[1]);
  status = project_dlpack(NULL, inputs, 3, outputs, 1);
  printf("call: %s", boostr_status_name(status));
  if (status != BOOSTR_OK)
    printf(": %s", boostr_last_error());
  printf("\ny: %g %g %g %g\n", y_data[0], y_data[1], y_data[2], y_data[3]);
}

int main(void) {
  for (int i = 0; boostr_module_functions[i]; ++i)
    printf("function %d: %s\n", i, boostr_module_functions[i]->name);

  puts("- fits");
  call();
  puts("- weight");
  w_shape[0] = 4;
  call();
  w_shape[0] = 3;
  puts("- bias");
  b_shape[0] = 3;
  call();
  b_shape[0] = 2;
  puts("- output");
  y_shape[0] = 3;
  call();
  y_shape[0] = 2;

  puts("- plain");
  boostr_memref_2d x = {x_data, x_data, 0, {2, 3}, {3, 1}};
  boostr_memref_2d w = {w_data, w_data, 0, {3, 2}, {2, 1}};
  boostr_memref_1d b = {b_data, b_data, 0, {2}, {1}};
  boostr_memref_2d y = {y_data, y_data, 0, {2, 2}, {2, 1}};
  memcpy(y_data, zeros, sizeof(zeros));
  printf("call: %s\n", boostr_status_name(project(&x, &w, &b, &y)));
  printf("y: %g %g %g %g\n", y_data[0], y_data[1], y_data[2], y_data[3]);
  printf("nothing: %s\n", boostr_status_name(nothing()));
  return 0;
}
