// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The functions are those of cuBLASLt that the runtime uses. Of other types
// than f32 and f64 it notes what it is asked for, and computes nothing.

#define _POSIX_C_SOURCE 200112L

#include "fake_cublaslt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum { R_32F = 0, R_64F = 1 };
enum { EPILOGUE_DEFAULT = 1, EPILOGUE_BIAS = 4, EPILOGUE_BGRADB = 512 };
enum { MAX_COUNTS = 32 };

typedef struct layout {
  int type;
  uint64_t rows, columns;
  int64_t leading, offset;
  int32_t batch;
} layout;

typedef struct description {
  int compute_type, scale_type;
  int32_t transposes[2], bias_type;
  uint32_t epilogue;
  void *bias;
  int64_t bias_stride;
} description;

typedef struct preference {
  uint64_t workspace;
  uint32_t reduction_mask, alignments[4];
} preference;

typedef struct heuristic {
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
} heuristic;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
  const char *name;
  int count;
} counts[MAX_COUNTS];
static const char *failing = "";
static int calls_until_failure, failure, num_objects;
static size_t workspace;
static uint32_t unsupported;
static preference last_preference;
static fake_lt_product last_product;

#define API __attribute__((visibility("default")))

static int enter(const char *name) {
  int result = SUCCESS;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MAX_COUNTS; ++i)
    if (!counts[i].name || strcmp(counts[i].name, name) == 0) {
      counts[i].name = name;
      ++counts[i].count;
      break;
    }
  if (calls_until_failure && strcmp(failing, name) == 0 &&
      --calls_until_failure == 0)
    result = failure;
  pthread_mutex_unlock(&mutex);
  return result;
}

#define ENTER                                                                  \
  do {                                                                         \
    int failed = enter(__func__);                                              \
    if (failed)                                                                \
      return failed;                                                           \
  } while (0)

static void count_object(int change) {
  pthread_mutex_lock(&mutex);
  num_objects += change;
  pthread_mutex_unlock(&mutex);
}

static int create(void **result, size_t bytes) {
  *result = calloc(1, bytes);
  count_object(1);
  return SUCCESS;
}

static int destroy(void *object) {
  free(object);
  count_object(-1);
  return SUCCESS;
}

static int set(void *field, size_t expected, const void *value, size_t bytes) {
  if (bytes != expected)
    return INVALID_VALUE;
  memcpy(field, value, bytes);
  return SUCCESS;
}

#define SET(field) set(&(field), sizeof(field), value, bytes)

/*===-- What tests call --------------------------------------------------===*/

API void fake_lt_fail(const char *function, int nth, int result) {
  pthread_mutex_lock(&mutex);
  failing = function;
  calls_until_failure = nth;
  failure = result;
  pthread_mutex_unlock(&mutex);
}

API int fake_lt_count(const char *function) {
  int count = 0;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MAX_COUNTS && counts[i].name; ++i)
    if (strcmp(counts[i].name, function) == 0)
      count = counts[i].count;
  pthread_mutex_unlock(&mutex);
  return count;
}

API void fake_lt_forget(void) {
  fake_lt_fail("", 0, 0);
  memset(counts, 0, sizeof(counts));
  memset(&last_product, 0, sizeof(last_product));
  workspace = 0;
  unsupported = 0;
}

API int fake_lt_num_objects(void) { return num_objects; }
API void fake_lt_set_workspace(size_t bytes) { workspace = bytes; }
API void fake_lt_set_unsupported(uint32_t epilogue) { unsupported = epilogue; }
API fake_lt_product fake_lt_last_product(void) { return last_product; }

/*===-- The library: objects ---------------------------------------------===*/

API const char *cublasLtGetStatusName(int status) {
  switch (status) {
  case INVALID_VALUE:
    return "CUBLAS_STATUS_INVALID_VALUE";
  case NOT_SUPPORTED:
    return "CUBLAS_STATUS_NOT_SUPPORTED";
  case 3:
    return "CUBLAS_STATUS_ALLOC_FAILED";
  default:
    return "CUBLAS_STATUS_OTHER";
  }
}

API int cublasLtCreate(void **handle) {
  ENTER;
  return create(handle, 1);
}
API int cublasLtDestroy(void *handle) { return destroy(handle); }

API int cublasLtMatrixLayoutCreate(void **result, int type, uint64_t rows,
                                   uint64_t columns, int64_t leading) {
  ENTER;
  if (leading < (int64_t)rows)
    return INVALID_VALUE;
  create(result, sizeof(layout));
  layout *created = *result;
  *created = (layout){type, rows, columns, leading, 0, 1};
  return SUCCESS;
}
API int cublasLtMatrixLayoutDestroy(void *object) { return destroy(object); }

API int cublasLtMatrixLayoutSetAttribute(void *object, int attribute,
                                         const void *value, size_t bytes) {
  ENTER;
  layout *it = object;
  switch (attribute) {
  case 5:
    return SET(it->batch);
  case 6:
    return SET(it->offset);
  default:
    return INVALID_VALUE;
  }
}

API int cublasLtMatmulDescCreate(void **result, int compute_type,
                                 int scale_type) {
  ENTER;
  create(result, sizeof(description));
  description *created = *result;
  created->compute_type = compute_type;
  created->scale_type = scale_type;
  created->epilogue = EPILOGUE_DEFAULT;
  return SUCCESS;
}
API int cublasLtMatmulDescDestroy(void *object) { return destroy(object); }

API int cublasLtMatmulDescSetAttribute(void *object, int attribute,
                                       const void *value, size_t bytes) {
  ENTER;
  description *it = object;
  switch (attribute) {
  case 3:
    return SET(it->transposes[0]);
  case 4:
    return SET(it->transposes[1]);
  case 7:
    return SET(it->epilogue);
  case 8:
    return SET(it->bias);
  case 10:
    return SET(it->bias_stride);
  case 26:
    return SET(it->bias_type);
  default:
    return INVALID_VALUE;
  }
}

API int cublasLtMatmulPreferenceCreate(void **result) {
  ENTER;
  return create(result, sizeof(preference));
}
API int cublasLtMatmulPreferenceDestroy(void *object) {
  return destroy(object);
}

API int cublasLtMatmulPreferenceSetAttribute(void *object, int attribute,
                                             const void *value, size_t bytes) {
  ENTER;
  preference *it = object;
  switch (attribute) {
  case 1:
    return SET(it->workspace);
  case 3:
    return SET(it->reduction_mask);
  case 5:
  case 6:
  case 7:
  case 8:
    return SET(it->alignments[attribute - 5]);
  default:
    return INVALID_VALUE;
  }
}

/*===-- The library: products --------------------------------------------===*/

/* Rows and columns of the operand as it is multiplied. */
static uint64_t rows_of(const layout *it, int is_transposed) {
  return is_transposed ? it->columns : it->rows;
}
static uint64_t columns_of(const layout *it, int is_transposed) {
  return is_transposed ? it->rows : it->columns;
}

static int fits(const description *product, const layout *a, const layout *b,
                const layout *c, const layout *d) {
  const int32_t *t = product->transposes;
  return rows_of(a, t[0]) == d->rows && columns_of(b, t[1]) == d->columns &&
         columns_of(a, t[0]) == rows_of(b, t[1]) && c->rows == d->rows &&
         c->columns == d->columns && a->batch == d->batch &&
         b->batch == d->batch && c->batch == d->batch && a->type == b->type &&
         c->type == d->type;
}

API int cublasLtMatmulAlgoGetHeuristic(void *handle, void *product, void *a,
                                       void *b, void *c, void *d,
                                       void *preferred, int most,
                                       heuristic *results, int *count) {
  ENTER;
  (void)handle;
  const description *it = product;
  if (!fits(it, a, b, c, d) || (it->epilogue != EPILOGUE_DEFAULT && !it->bias))
    return INVALID_VALUE;
  if (it->epilogue == unsupported)
    return NOT_SUPPORTED;
  pthread_mutex_lock(&mutex);
  last_preference = *(preference *)preferred;
  pthread_mutex_unlock(&mutex);
  /* The first of them is none. */
  *count = most < 2 ? most : 2;
  memset(results, 0, sizeof(heuristic) * (size_t)*count);
  results[0].state = NOT_SUPPORTED;
  results[1].algorithm[0] = 42;
  results[1].workspace = workspace;
  return SUCCESS;
}

static double load(int type, const void *data, int64_t index) {
  return type == R_64F ? ((const double *)data)[index]
                       : (double)((const float *)data)[index];
}
static void store(int type, void *data, int64_t index, double value) {
  if (type == R_64F)
    ((double *)data)[index] = value;
  else
    ((float *)data)[index] = (float)value;
}

static double element(const layout *it, const void *data, int is_transposed,
                      int64_t batch, int64_t row, int64_t column) {
  int64_t place =
      is_transposed ? column + row * it->leading : row + column * it->leading;
  return load(it->type, data, batch * it->offset + place);
}

/* One matrix of a batch. */
static void multiply(const description *product, int64_t number, double alpha,
                     const void *a, const layout *of_a, const void *b,
                     const layout *of_b, double beta, const void *c,
                     const layout *of_c, void *d, const layout *of_d) {
  const int32_t *t = product->transposes;
  int64_t steps = (int64_t)columns_of(of_a, t[0]);
  for (int64_t column = 0; column < (int64_t)of_d->columns; ++column) {
    double sum_of_b = 0.0;
    for (int64_t k = 0; k < steps; ++k)
      sum_of_b += element(of_b, b, t[1], number, k, column);
    if (product->epilogue == EPILOGUE_BGRADB)
      store(product->bias_type, product->bias, column, sum_of_b);
    for (int64_t row = 0; row < (int64_t)of_d->rows; ++row) {
      double sum = 0.0;
      for (int64_t k = 0; k < steps; ++k)
        sum += element(of_a, a, t[0], number, row, k) *
               element(of_b, b, t[1], number, k, column);
      sum *= alpha;
      if (beta != 0.0)
        sum += beta * element(of_c, c, 0, number, row, column);
      if (product->epilogue == EPILOGUE_BIAS)
        sum += load(product->bias_type, product->bias,
                    number * product->bias_stride + row);
      store(of_d->type, d, number * of_d->offset + row + column * of_d->leading,
            sum);
    }
  }
}

API int cublasLtMatmul(void *handle, void *product, const void *alpha,
                       const void *a, void *of_a, const void *b, void *of_b,
                       const void *beta, const void *c, void *of_c, void *d,
                       void *of_d, const uint64_t *algorithm,
                       void *given_workspace, size_t bytes, void *stream) {
  ENTER;
  (void)handle;
  const description *it = product;
  const layout *result = of_d;
  if (!fits(it, of_a, of_b, of_c, of_d) || algorithm[0] != 42 ||
      bytes < workspace || (bytes && !given_workspace))
    return INVALID_VALUE;
  pthread_mutex_lock(&mutex);
  const preference asked = last_preference;
  pthread_mutex_unlock(&mutex);
  fake_lt_product noted = {it->compute_type,
                           it->scale_type,
                           it->bias_type,
                           it->epilogue,
                           ((layout *)of_a)->type,
                           result->type,
                           result->batch,
                           bytes,
                           given_workspace,
                           stream,
                           asked.workspace,
                           asked.reduction_mask,
                           {0}};
  memcpy(noted.alignments, asked.alignments, sizeof(noted.alignments));
  pthread_mutex_lock(&mutex);
  last_product = noted;
  pthread_mutex_unlock(&mutex);
  if (noted.element > R_64F || noted.result_element > R_64F)
    return SUCCESS;
  double scale = load(it->scale_type, alpha, 0);
  double old = load(it->scale_type, beta, 0);
  for (int64_t number = 0; number < result->batch; ++number)
    multiply(it, number, scale, a, of_a, b, of_b, old, c, of_c, d, of_d);
  return SUCCESS;
}
