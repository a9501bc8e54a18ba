// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The functions are those of the CUDA driver API that the runtime uses. What is
// not valid fails as with the driver; a module's image is text, "cubin ..." or
// "ptx ...", and has each kernel but "missing".

#define _POSIX_C_SOURCE 200112L

#include "fake_driver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  INVALID_PTX = 218,
  UNKNOWN = 999,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  CAPTURE_UNSUPPORTED = 900
};

typedef struct context {
  int device, is_alive;
  unsigned long long id;
} context;

typedef struct module {
  char image[64];
  context *owner;
  int is_loaded;
} module;

typedef struct function {
  char name[64];
  module *owner;
  int attributes[32];
  struct function *next;
} function;

typedef struct stream {
  context *owner;
} stream;

typedef struct pool {
  int device;
  uint64_t threshold;
} pool;

typedef struct launch_attribute {
  int id;
  int pad;
  uint32_t values[16];
} launch_attribute;

typedef struct launch_config {
  uint32_t grid[3], block[3], shared_bytes;
  void *stream;
  launch_attribute *attributes;
  unsigned num_attributes;
} launch_config;

typedef struct pool_props {
  int type, handles, location, id;
} pool_props;

enum { MAX_COUNTS = 64, MAX_DEPTH = 8, RELAXED = 2 };

/* See fake_set_waiting_device. */
static int waiting_device = -1;
static atomic_int was_loaded_elsewhere;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
  const char *name;
  int count;
} counts[MAX_COUNTS];
static const char *failing;
static int calls_until_failure, failure, has_failed;

static int is_initialized, version = 12040;
static int capabilities[FAKE_NUM_DEVICES] = {90, 80};
static const char *log_text = "";
static context primaries[FAKE_NUM_DEVICES] = {{0, 1, 1}, {1, 1, 2}};
static unsigned long long last_id = 2;
static int num_modules, num_blocks, num_pools, num_launches;
static uint64_t pool_threshold;
static function *functions;
static fake_launch last_launch;
static fake_tensor_map last_map;

static _Thread_local context *stack[MAX_DEPTH];
static _Thread_local int depth;
static _Thread_local int capture_mode, is_capturing;

static context *current(void) { return depth ? stack[depth - 1] : NULL; }

/* Counts the call; what it shall return instead of doing its work. */
static int enter(const char *name) {
  int result = SUCCESS;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MAX_COUNTS; ++i)
    if (!counts[i].name || strcmp(counts[i].name, name) == 0) {
      counts[i].name = name;
      ++counts[i].count;
      break;
    }
  if (calls_until_failure && (!failing || strcmp(failing, name) == 0) &&
      --calls_until_failure == 0) {
    result = failure;
    has_failed = 1;
  }
  if (!result && !is_initialized && strcmp(name, "cuInit") != 0)
    result = NOT_INITIALIZED;
  pthread_mutex_unlock(&mutex);
  return result;
}

#define ENTER                                                                  \
  do {                                                                         \
    int failed = enter(__func__);                                              \
    if (failed)                                                                \
      return failed;                                                           \
  } while (0)

#define NEED_CONTEXT                                                           \
  do {                                                                         \
    if (!current())                                                            \
      return INVALID_CONTEXT;                                                  \
  } while (0)

#define API __attribute__((visibility("default")))

/*===-- What tests call --------------------------------------------------===*/

API void fake_fail(const char *name, int nth, int result) {
  pthread_mutex_lock(&mutex);
  failing = name;
  calls_until_failure = nth;
  failure = result;
  has_failed = 0;
  pthread_mutex_unlock(&mutex);
}

API int fake_has_failed(void) { return has_failed; }

API int fake_count(const char *name) {
  int count = 0;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MAX_COUNTS && counts[i].name; ++i)
    if (strcmp(counts[i].name, name) == 0)
      count = counts[i].count;
  pthread_mutex_unlock(&mutex);
  return count;
}

API int fake_count_all(void) {
  int count = 0;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MAX_COUNTS && counts[i].name; ++i)
    count += counts[i].count;
  pthread_mutex_unlock(&mutex);
  return count;
}

API void fake_forget(void) {
  fake_fail(NULL, 0, 0);
  memset(counts, 0, sizeof(counts));
  num_launches = 0;
  memset(&last_launch, 0, sizeof(last_launch));
  memset(&last_map, 0, sizeof(last_map));
}

API void fake_set_capability(int device, int capability) {
  capabilities[device] = capability;
}
API void fake_set_version(int number) { version = number; }
API void fake_set_log(const char *text) { log_text = text; }
API void fake_set_waiting_device(int device) {
  was_loaded_elsewhere = 0;
  waiting_device = device;
}
API int fake_num_modules(void) { return num_modules; }
API void fake_drop_module(void) { --num_modules; }
API void fake_drop_blocks(void) { num_blocks = 0; }
API int fake_num_blocks(void) { return num_blocks; }
API int fake_num_pools(void) { return num_pools; }
API uint64_t fake_pool_threshold(void) { return pool_threshold; }

API void *fake_create_context(int device) {
  context *created = calloc(1, sizeof(context));
  created->device = device;
  created->is_alive = 1;
  created->id = ++last_id;
  return created;
}

/* Its memory stays, so that a use after the end can be noticed. */
API void fake_destroy_context(void *destroyed) {
  ((context *)destroyed)->is_alive = 0;
}
API void *fake_primary_context(int device) { return &primaries[device]; }
API void *fake_current_context(void) { return current(); }
API void fake_set_current_context(void *set) {
  depth = set ? 1 : 0;
  stack[0] = set;
}
API void *fake_create_stream(void *owner) {
  stream *created = calloc(1, sizeof(stream));
  created->owner = owner;
  return created;
}
API void fake_set_capturing(int capturing) { is_capturing = capturing; }
API fake_launch fake_last_launch(void) { return last_launch; }
API int fake_num_launches(void) { return num_launches; }
API int fake_attribute(const char *kernel, int attribute) {
  int value = 0;
  pthread_mutex_lock(&mutex);
  for (function *it = functions; it; it = it->next)
    if (strcmp(it->name, kernel) == 0 && it->attributes[attribute])
      value = it->attributes[attribute];
  pthread_mutex_unlock(&mutex);
  return value;
}
API fake_tensor_map fake_last_tensor_map(void) { return last_map; }

/*===-- The driver: errors, devices, contexts ----------------------------===*/

API int cuGetErrorName(int result, const char **name) {
  switch (result) {
  case INVALID_VALUE:
    *name = "CUDA_ERROR_INVALID_VALUE";
    return SUCCESS;
  case OUT_OF_MEMORY:
    *name = "CUDA_ERROR_OUT_OF_MEMORY";
    return SUCCESS;
  case NO_DEVICE:
    *name = "CUDA_ERROR_NO_DEVICE";
    return SUCCESS;
  case INVALID_CONTEXT:
    *name = "CUDA_ERROR_INVALID_CONTEXT";
    return SUCCESS;
  case INVALID_PTX:
    *name = "CUDA_ERROR_INVALID_PTX";
    return SUCCESS;
  case NOT_FOUND:
    *name = "CUDA_ERROR_NOT_FOUND";
    return SUCCESS;
  case CAPTURE_UNSUPPORTED:
    *name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
    return SUCCESS;
  default:
    *name = NULL;
    return INVALID_VALUE;
  }
}

API int cuGetErrorString(int result, const char **words) {
  static const char *const invalid_value = "invalid argument";
  static const char *const other = "words";
  *words = result == INVALID_VALUE ? invalid_value : other;
  return SUCCESS;
}

API int cuInit(unsigned flags) {
  ENTER;
  is_initialized = 1;
  return flags ? INVALID_VALUE : SUCCESS;
}

API int cuDriverGetVersion(int *result) {
  ENTER;
  *result = version;
  return SUCCESS;
}

API int cuDeviceGetCount(int *count) {
  ENTER;
  *count = FAKE_NUM_DEVICES;
  return SUCCESS;
}

API int cuDeviceGet(int *device, int ordinal) {
  ENTER;
  if (ordinal < 0 || ordinal >= FAKE_NUM_DEVICES)
    return INVALID_DEVICE;
  *device = ordinal;
  return SUCCESS;
}

API int cuDeviceGetAttribute(int *value, int attribute, int device) {
  ENTER;
  if (device < 0 || device >= FAKE_NUM_DEVICES)
    return INVALID_DEVICE;
  switch (attribute) {
  case 16:
    *value = 132 - device;
    return SUCCESS;
  case 75:
    *value = capabilities[device] / 10;
    return SUCCESS;
  case 76:
    *value = capabilities[device] % 10;
    return SUCCESS;
  default:
    return INVALID_VALUE;
  }
}

API int cuDevicePrimaryCtxRetain(void **result, int device) {
  ENTER;
  if (device < 0 || device >= FAKE_NUM_DEVICES)
    return INVALID_DEVICE;
  *result = &primaries[device];
  return SUCCESS;
}

API int cuCtxGetCurrent(void **result) {
  ENTER;
  *result = current();
  return SUCCESS;
}

API int cuCtxGetDevice(int *device) {
  ENTER;
  NEED_CONTEXT;
  *device = current()->device;
  return SUCCESS;
}

API int cuCtxGetId(void *of, unsigned long long *id) {
  ENTER;
  if (!((context *)of)->is_alive)
    return INVALID_CONTEXT;
  *id = ((context *)of)->id;
  return SUCCESS;
}

API int cuCtxPushCurrent_v2(void *pushed) {
  ENTER;
  if (!pushed || !((context *)pushed)->is_alive || depth == MAX_DEPTH)
    return INVALID_CONTEXT;
  stack[depth++] = pushed;
  return SUCCESS;
}

API int cuCtxPopCurrent_v2(void **popped) {
  ENTER;
  NEED_CONTEXT;
  *popped = stack[--depth];
  return SUCCESS;
}

API int cuStreamGetCtx(void *of, void **result) {
  ENTER;
  *result = of ? (void *)((stream *)of)->owner : (void *)current();
  return *result ? SUCCESS : INVALID_CONTEXT;
}

API int cuStreamSynchronize(void *of) {
  ENTER;
  NEED_CONTEXT;
  (void)of;
  return is_capturing ? CAPTURE_UNSUPPORTED : SUCCESS;
}

API int cuThreadExchangeStreamCaptureMode(int *mode) {
  ENTER;
  int old = capture_mode;
  capture_mode = *mode;
  *mode = old;
  return SUCCESS;
}

static int spoils_capture(void) {
  return is_capturing && capture_mode != RELAXED;
}

/*===-- The driver: modules and launches ---------------------------------===*/

API int cuModuleLoadDataEx(void **result, const void *image, unsigned count,
                           int *options, void **values) {
  ENTER;
  NEED_CONTEXT;
  if (spoils_capture())
    return CAPTURE_UNSUPPORTED;
  const char *text = image;
  /* Of these tests, or of a compiler. */
  int is_cubin =
      strncmp(text, "cubin", 5) == 0 || strncmp(text, "\177ELF", 4) == 0;
  int is_ptx = strncmp(text, "ptx", 3) == 0 || strncmp(text, "//", 2) == 0;
  if (!is_ptx && !is_cubin)
    return INVALID_IMAGE;
  if (is_ptx && *log_text) {
    /* CU_JIT_ERROR_LOG_BUFFER and its size. */
    if (count == 2 && options[0] == 5 && options[1] == 6)
      snprintf(values[0], (size_t)values[1], "%s", log_text);
    return INVALID_PTX;
  }
  if (current()->device != waiting_device)
    was_loaded_elsewhere = 1;
  for (int i = 0; !was_loaded_elsewhere && i < 2000; ++i)
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  if (!was_loaded_elsewhere)
    return UNKNOWN;
  module *loaded = calloc(1, sizeof(module));
  snprintf(loaded->image, sizeof(loaded->image), "%s", text);
  loaded->owner = current();
  loaded->is_loaded = 1;
  pthread_mutex_lock(&mutex);
  ++num_modules;
  pthread_mutex_unlock(&mutex);
  *result = loaded;
  return SUCCESS;
}

API int cuModuleUnload(void *unloaded) {
  ENTER;
  NEED_CONTEXT;
  module *it = unloaded;
  if (it->owner != current() || !it->is_loaded)
    return INVALID_HANDLE;
  it->is_loaded = 0;
  pthread_mutex_lock(&mutex);
  --num_modules;
  function **link = &functions;
  while (*link) {
    function *of = *link;
    if (of->owner != it) {
      link = &of->next;
      continue;
    }
    *link = of->next;
    free(of);
  }
  pthread_mutex_unlock(&mutex);
  free(it);
  return SUCCESS;
}

API int cuModuleGetFunction(void **result, void *of, const char *name) {
  ENTER;
  NEED_CONTEXT;
  if (strcmp(name, "missing") == 0)
    return NOT_FOUND;
  function *found = calloc(1, sizeof(function));
  snprintf(found->name, sizeof(found->name), "%s", name);
  found->owner = of;
  found->attributes[8] = 48 << 10;
  pthread_mutex_lock(&mutex);
  found->next = functions;
  functions = found;
  pthread_mutex_unlock(&mutex);
  *result = found;
  return SUCCESS;
}

API int cuFuncGetAttribute(int *value, int attribute, void *of) {
  ENTER;
  *value = ((function *)of)->attributes[attribute];
  return SUCCESS;
}

API int cuFuncSetAttribute(void *of, int attribute, int value) {
  ENTER;
  if (attribute == 8 && value > 227 << 10)
    return INVALID_VALUE;
  pthread_mutex_lock(&mutex);
  ((function *)of)->attributes[attribute] = value;
  pthread_mutex_unlock(&mutex);
  return SUCCESS;
}

API int cuLaunchKernelEx(const launch_config *config, void *launched,
                         void **params, void **extra) {
  ENTER;
  NEED_CONTEXT;
  function *kernel = launched;
  if (kernel->owner->owner != current() || extra)
    return INVALID_HANDLE;
  if (config->stream && (uintptr_t)config->stream > 2 &&
      ((stream *)config->stream)->owner != current())
    return INVALID_HANDLE;
  fake_launch launch = {0};
  snprintf(launch.kernel, sizeof(launch.kernel), "%s", kernel->name);
  snprintf(launch.image, sizeof(launch.image), "%s", kernel->owner->image);
  launch.context = current();
  launch.stream = config->stream;
  memcpy(launch.grid, config->grid, sizeof(launch.grid));
  memcpy(launch.block, config->block, sizeof(launch.block));
  launch.shared_bytes = config->shared_bytes;
  launch.params = params;
  uint64_t cluster_size = 1;
  for (unsigned i = 0; i < config->num_attributes; ++i) {
    const launch_attribute *attribute = &config->attributes[i];
    if (attribute->id == 4)
      for (int j = 0; j < 3; ++j)
        cluster_size *= launch.cluster[j] = attribute->values[j];
    if (attribute->id == 6)
      launch.begins_early = (int)attribute->values[0];
  }
  pthread_mutex_lock(&mutex);
  int is_valid = (int)config->shared_bytes <= kernel->attributes[8] &&
                 (cluster_size <= 8 || kernel->attributes[14]) &&
                 config->block[0] * config->block[1] * config->block[2] <= 1024;
  if (is_valid) {
    last_launch = launch;
    ++num_launches;
  }
  pthread_mutex_unlock(&mutex);
  return is_valid ? SUCCESS : INVALID_VALUE;
}

API int cuTensorMapEncodeTiled(void *map, int element, unsigned rank,
                               void *address, const uint64_t *extents,
                               const uint64_t *strides, const uint32_t *box,
                               const uint32_t *steps, int interleave,
                               int swizzle, int promotion, int fill) {
  ENTER;
  if ((uintptr_t)address % 16)
    return INVALID_VALUE;
  fake_tensor_map encoded = {0};
  encoded.element = element;
  encoded.rank = (int)rank;
  encoded.interleave = interleave;
  encoded.swizzle = swizzle;
  encoded.promotion = promotion;
  encoded.fill = fill;
  encoded.address = address;
  for (unsigned i = 0; i < rank; ++i) {
    if (!extents[i] || !box[i] || box[i] > 256)
      return INVALID_VALUE;
    encoded.extents[i] = extents[i];
    encoded.box[i] = box[i];
    encoded.steps[i] = steps[i];
    if (i + 1 < rank)
      encoded.strides[i] = strides[i];
  }
  memset(map, 0x5a, 128);
  last_map = encoded;
  return SUCCESS;
}

/*===-- The driver: memory -----------------------------------------------===*/

/* In front of each block, which the driver aligns to 256 bytes. */
typedef struct header {
  uint64_t magic;
  int device;
} header;
enum { HEADER_BYTES = 256 };
static const uint64_t magic = 0x626f6f737472;

static int allocate(uint64_t *address, size_t bytes, int device) {
  void *block;
  if (!bytes)
    return INVALID_VALUE;
  if (bytes > (size_t)1 << 32 ||
      posix_memalign(&block, HEADER_BYTES, HEADER_BYTES + bytes))
    return OUT_OF_MEMORY;
  header *head = block;
  head->magic = magic;
  head->device = device;
  *address = (uint64_t)(uintptr_t)block + HEADER_BYTES;
  pthread_mutex_lock(&mutex);
  ++num_blocks;
  pthread_mutex_unlock(&mutex);
  return SUCCESS;
}

static header *head_of(uint64_t address) {
  return (header *)(uintptr_t)(address - HEADER_BYTES);
}

static int release(uint64_t address) {
  if (address % HEADER_BYTES || head_of(address)->magic != magic)
    return INVALID_VALUE;
  head_of(address)->magic = 0;
  free(head_of(address));
  pthread_mutex_lock(&mutex);
  --num_blocks;
  pthread_mutex_unlock(&mutex);
  return SUCCESS;
}

API int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  ENTER;
  NEED_CONTEXT;
  return allocate(address, bytes, current()->device);
}

API int cuMemFree_v2(uint64_t address) {
  ENTER;
  NEED_CONTEXT;
  return release(address);
}

API int cuMemAllocFromPoolAsync(uint64_t *address, size_t bytes, void *from,
                                void *on) {
  ENTER;
  NEED_CONTEXT;
  (void)on;
  if (((pool *)from)->device != current()->device)
    return INVALID_VALUE;
  return allocate(address, bytes, current()->device);
}

API int cuMemFreeAsync(uint64_t address, void *on) {
  ENTER;
  NEED_CONTEXT;
  (void)on;
  return release(address);
}

API int cuMemsetD8Async(uint64_t address, unsigned char value, size_t bytes,
                        void *on) {
  ENTER;
  NEED_CONTEXT;
  (void)on;
  // What the fake calls memory of a device is memory of the process.
  memset((void *)(uintptr_t)address, value, bytes);
  return SUCCESS;
}

API int cuMemPoolCreate(void **result, const pool_props *props) {
  ENTER;
  if (spoils_capture())
    return CAPTURE_UNSUPPORTED;
  if (props->type != 1 || props->location != 1)
    return INVALID_VALUE;
  pool *created = calloc(1, sizeof(pool));
  created->device = props->id;
  pthread_mutex_lock(&mutex);
  ++num_pools;
  pthread_mutex_unlock(&mutex);
  *result = created;
  return SUCCESS;
}

API int cuMemPoolSetAttribute(void *of, int attribute, void *value) {
  ENTER;
  if (attribute != 4)
    return INVALID_VALUE;
  memcpy(&((pool *)of)->threshold, value, sizeof(uint64_t));
  pool_threshold = ((pool *)of)->threshold;
  return SUCCESS;
}

API int cuMemPoolDestroy(void *destroyed) {
  ENTER;
  free(destroyed);
  pthread_mutex_lock(&mutex);
  --num_pools;
  pthread_mutex_unlock(&mutex);
  return SUCCESS;
}

API int cuMemcpyAsync(uint64_t to, uint64_t from, size_t bytes, void *on) {
  ENTER;
  NEED_CONTEXT;
  (void)on;
  memcpy((void *)(uintptr_t)to, (const void *)(uintptr_t)from, bytes);
  return SUCCESS;
}

API int cuPointerGetAttribute(void *value, int attribute, uint64_t address) {
  ENTER;
  if (attribute != 9 || !address || address % HEADER_BYTES ||
      head_of(address)->magic != magic)
    return INVALID_VALUE;
  memcpy(value, &head_of(address)->device, sizeof(int));
  return SUCCESS;
}
