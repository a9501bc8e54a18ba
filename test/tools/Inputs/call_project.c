/* Calls a compiled function through its plain and its checked entry. */

#include "project.h"

#include <math.h>
#include <stdio.h>

enum { B = 2, S = 3, P = 8, H = 5 };

static float attn[B * S * P], weight[H * P], residual[B * S * H], y[B * S * H];

static void fill(float *values, int count, float step) {
  for (int i = 0; i < count; ++i)
    values[i] = (float)(i % 11 - 5) * step;
}

static const char *check(void) {
  for (int t = 0; t < B * S; ++t)
    for (int h = 0; h < H; ++h) {
      double sum = residual[t * H + h];
      for (int p = 0; p < P; ++p)
        sum += (double)attn[t * P + p] * weight[h * P + p];
      if (!(fabs(sum - y[t * H + h]) <= 1e-5))
        return "wrong";
    }
  return "right";
}

static void poison(void) {
  for (int i = 0; i < B * S * H; ++i)
    y[i] = NAN;
}

static DLTensor tensor(float *data, int32_t rank, int64_t *shape) {
  DLTensor result = {0};
  result.data = data;
  result.device.device_type = kDLCPU;
  result.ndim = rank;
  result.dtype.code = kDLFloat;
  result.dtype.bits = 32;
  result.dtype.lanes = 1;
  result.shape = shape;
  return result;
}

int main(void) {
  fill(attn, B * S * P, 0.25f);
  fill(weight, H * P, 0.125f);
  fill(residual, B * S * H, 0.5f);

  poison();
  boostr_memref_3d attn_memref = {attn, attn, 0, {B, S, P}, {S * P, P, 1}};
  boostr_memref_2d weight_memref = {weight, weight, 0, {H, P}, {P, 1}};
  boostr_memref_3d residual_memref = {
      residual, residual, 0, {B, S, H}, {S * H, H, 1}};
  boostr_memref_3d y_memref = {y, y, 0, {B, S, H}, {S * H, H, 1}};
  boostr_status status =
      project(&attn_memref, &weight_memref, &residual_memref, &y_memref);
  printf("plain entry: %s\n",
         status == BOOSTR_OK ? check() : boostr_last_error());

  poison();
  int64_t attn_shape[] = {B, S, P}, weight_shape[] = {H, P},
          y_shape[] = {B, S, H};
  DLTensor attn_tensor = tensor(attn, 3, attn_shape),
           weight_tensor = tensor(weight, 2, weight_shape),
           residual_tensor = tensor(residual, 3, y_shape),
           y_tensor = tensor(y, 3, y_shape);
  const DLTensor *inputs[] = {&attn_tensor, &weight_tensor, &residual_tensor};
  const DLTensor *outputs[] = {&y_tensor};
  status = project_dlpack(NULL, inputs, 3, outputs, 1);
  printf("checked entry: %s\n",
         status == BOOSTR_OK ? check() : boostr_last_error());

  weight_shape[1] = P - 1;
  status = project_dlpack(NULL, inputs, 3, outputs, 1);
  printf("wrong call: %s: %s\n", boostr_status_name(status),
         boostr_last_error());
  return 0;
}
