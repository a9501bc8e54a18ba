/* Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs a block of GPU threads on one CPU thread: each is a coroutine that runs
 * from barrier to barrier, of its block or of its warp. gpu_emulator.py says
 * how kernels get here.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
  kMaxThreads = 1024,
  kStackBytes = 1 << 18,
  kWarp = 32,
  kMaxOperands = 16,
  kMaxCopies = 4096
};

/* What a thread waits for: nothing, the threads of its block or of its warp. */
enum { kNothing, kBlock, kWarpOnly, kEnd };

static ucontext_t scheduler, threads[kMaxThreads];
static char *stacks;
static int64_t current, num_threads;
static char waits_for[kMaxThreads];
static void (*running)(void *, int64_t);
static void *running_context;

static void run_thread(void) {
  running(running_context, current);
  waits_for[current] = kEnd;
}

static void fail(const char *message) {
  fprintf(stderr, "emulated GPU: %s\n", message);
  abort();
}

/* Lets threads [first, end) go on if all of them that have not ended wait for
 * each other. */
static int release(int64_t first, int64_t end, int reason) {
  int64_t count = 0;
  for (int64_t i = first; i < end; ++i) {
    if (waits_for[i] != reason && waits_for[i] != kEnd)
      return 0;
    count += waits_for[i] == reason;
  }
  for (int64_t i = first; i < end; ++i)
    if (waits_for[i] == reason)
      waits_for[i] = kNothing;
  return count > 0;
}

/* Stands in for the runtime's: iterations are the threads of a block. */
__attribute__((visibility("hidden"))) void
boostr_parallel_for(void (*task)(void *, int64_t), void *context,
                    int64_t count) {
  if (!stacks)
    stacks = mmap(NULL, (size_t)kMaxThreads * kStackBytes,
                  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (count > kMaxThreads || stacks == MAP_FAILED)
    fail("too many threads");
  running = task;
  running_context = context;
  num_threads = count;
  for (int64_t i = 0; i < count; ++i) {
    getcontext(&threads[i]);
    threads[i].uc_stack.ss_sp = stacks + i * kStackBytes;
    threads[i].uc_stack.ss_size = kStackBytes;
    threads[i].uc_link = &scheduler;
    waits_for[i] = kNothing;
    makecontext(&threads[i], run_thread, 0);
  }
  /* To and fro, so that what must not depend on the order does not. */
  for (int is_backward = 0;; is_backward = !is_backward) {
    for (int64_t turn = 0; turn < count; ++turn) {
      int64_t i = is_backward ? count - 1 - turn : turn;
      if (waits_for[i] != kNothing)
        continue;
      current = i;
      swapcontext(&scheduler, &threads[i]);
    }
    int has_released = release(0, count, kBlock);
    for (int64_t i = 0; i < count; i += kWarp)
      has_released |=
          release(i, i + kWarp < count ? i + kWarp : count, kWarpOnly);
    if (has_released)
      continue;
    for (int64_t i = 0; i < count; ++i)
      if (waits_for[i] != kEnd)
        fail("some threads wait at a barrier that others do not reach");
    return;
  }
}

static void wait(int reason) {
  int64_t self = current;
  waits_for[self] = reason;
  swapcontext(&threads[self], &scheduler);
}

void emulated_barrier(void) { wait(kBlock); }

/*===----------------------------------------------------------------------===*\
 * Exchange within a warp
\*===----------------------------------------------------------------------===*/

/* What threads tell their warp. Two of them in turn: a thread is never more
 * than one exchange ahead. */
union operand {
  uint32_t bits;
  uint64_t address;
  float f32;
  double f64;
};
static union operand operands[2][kMaxThreads][kMaxOperands];
static unsigned exchanges[kMaxThreads];
static int num_operands[kMaxThreads];
static union operand results[kMaxThreads][4];

static union operand *mine(void) {
  return operands[exchanges[current] % 2][current];
}
void emulated_operand_i32(uint32_t value) {
  mine()[num_operands[current]++].bits = value;
}
void emulated_operand_f32(float value) {
  mine()[num_operands[current]++].f32 = value;
}
void emulated_operand_f64(double value) {
  mine()[num_operands[current]++].f64 = value;
}

/* The operands of all threads of the warp. */
static union operand (*exchange(void))[kMaxOperands] {
  int64_t self = current;
  unsigned number = exchanges[self]++;
  num_operands[self] = 0;
  wait(kWarpOnly);
  return &operands[number % 2][self / kWarp * kWarp];
}

float emulated_shuffle_f32(float value, int32_t mask) {
  emulated_operand_f32(value);
  return exchange()[(current % kWarp) ^ mask]->f32;
}
double emulated_shuffle_f64(double value, int32_t mask) {
  emulated_operand_f64(value);
  return exchange()[(current % kWarp) ^ mask]->f64;
}

/*===----------------------------------------------------------------------===*\
 * Asynchronous copies
\*===----------------------------------------------------------------------===*/

/* A copy happens as late as it may: when its group is waited for. */
struct copy {
  char *to;
  const char *from;
  int64_t bytes, present;
  int64_t group;
};
static struct {
  struct copy copies[kMaxCopies];
  int64_t first, count, group;
} queues[kMaxThreads];

void emulated_copy(char *to, const char *from, int64_t bytes, int64_t present) {
  if (bytes != 4 && bytes != 8 && bytes != 16)
    fail("a copy of neither 4, 8 nor 16 bytes");
  if ((uintptr_t)to % bytes || (present && (uintptr_t)from % bytes))
    fail("a copy that is not aligned");
  struct copy copy = {to, from, bytes, present, queues[current].group};
  if (queues[current].count == kMaxCopies)
    fail("too many copies under way");
  int64_t place = queues[current].first + queues[current].count++;
  queues[current].copies[place % kMaxCopies] = copy;
}
void emulated_commit(void) { ++queues[current].group; }
void emulated_wait(int64_t count) {
  for (; queues[current].count; --queues[current].count) {
    struct copy *next = &queues[current].copies[queues[current].first];
    if (next->group >= queues[current].group - count)
      return;
    if (next->present)
      memcpy(next->to, next->from, next->present);
    memset(next->to + next->present, 0, next->bytes - next->present);
    queues[current].first = (queues[current].first + 1) % kMaxCopies;
  }
}

/*===----------------------------------------------------------------------===*\
 * Tensor cores
\*===----------------------------------------------------------------------===*/

/* LLVM calls it to move bf16 about where the CPU has no such registers; only
 * what is bf16 already comes here. */
__bf16 __truncsfbf2(float value) {
  union operand whole = {.f32 = value};
  uint16_t half = whole.bits >> 16;
  __bf16 result;
  memcpy(&result, &half, sizeof(half));
  return result;
}

uint32_t emulated_result_i32(int64_t i) { return results[current][i].bits; }
float emulated_result_f32(int64_t i) { return results[current][i].f32; }
double emulated_result_f64(int64_t i) { return results[current][i].f64; }

/* ldmatrix of four matrices of 8 x 8 elements of 16 bits. */
static void load_matrices(uint64_t address, int transpose) {
  if (address % 16)
    fail("a matrix that is not aligned");
  mine()[0].address = address;
  union operand(*warp)[kMaxOperands] = exchange();
  int64_t lane = current % kWarp;
  for (int64_t matrix = 0; matrix < 4; ++matrix) {
    uint16_t pair[2];
    for (int64_t i = 0; i < 2; ++i) {
      int64_t row = lane / 4, column = lane % 4 * 2 + i;
      int64_t line = transpose ? column : row;
      int64_t place = transpose ? row : column;
      pair[i] = ((const uint16_t *)warp[8 * matrix + line][0].address)[place];
    }
    results[current][matrix].bits = pair[0] | (uint32_t)pair[1] << 16;
  }
}
void emulated_ldmatrix(uint64_t address) { load_matrices(address, 0); }
void emulated_ldmatrix_transposed(uint64_t address) {
  load_matrices(address, 1);
}

uint32_t emulated_round_tf32(float value) {
  union operand rounded = {.f32 = value};
  if (value == value)
    rounded.bits += 0x1000;
  rounded.bits &= ~0x1fffu;
  return rounded.bits;
}

/* Element `number` of 16 bits in registers from `registers` on. */
static uint32_t half_bits(const union operand *registers, int64_t number) {
  return registers[number / 2].bits >> (number % 2 * 16) & 0xffff;
}
static float from_bf16(const union operand *registers, int64_t number) {
  union operand value = {.bits = half_bits(registers, number) << 16};
  return value.f32;
}
static float from_f16(const union operand *registers, int64_t number) {
  union {
    uint16_t bits;
    _Float16 value;
  } half = {.bits = half_bits(registers, number)};
  return half.value;
}
/* Tensor cores do not look at the last 13 bits. */
static float from_tf32(const union operand *registers, int64_t number) {
  union operand value = {.bits = registers[number].bits & ~0x1fffu};
  return value.f32;
}
static double from_f64(const union operand *registers, int64_t number) {
  return registers[number].f64;
}

/* m16n8k16 of 16 bits, m16n8k8 of tf32, m16n8k16 of f64: rows g and g + 8 of a
 * thread. `steps` is k, `run` how many steps follow each other in a thread. */
#define MMA_16_8(name, kind, type, steps, run, per_register)                   \
  void emulated_mma_##name(void) {                                             \
    enum { kRegisters = 2 * steps / 4 / per_register };                        \
    union operand(*warp)[kMaxOperands] = exchange();                           \
    int64_t lane = current % kWarp;                                            \
    for (int64_t i = 0; i < 4; ++i) {                                          \
      int64_t high = i / 2, column = lane % 4 * 2 + i % 2;                     \
      double sum = warp[lane][kRegisters + kRegisters / 2 + i].type;           \
      for (int64_t step = 0; step < steps; ++step) {                           \
        int64_t t = step % (4 * run) / run, q = step / (4 * run);              \
        const union operand *row = warp[lane / 4 * 4 + t];                     \
        const union operand *other = warp[column * 4 + t] + kRegisters;        \
        sum += (double)from_##kind(row, (2 * q + high) * run + step % run) *   \
               from_##kind(other, q * run + step % run);                       \
      }                                                                        \
      results[current][i].type = sum;                                          \
    }                                                                          \
  }
MMA_16_8(bf16, bf16, f32, 16, 2, 2)
MMA_16_8(f16, f16, f32, 16, 2, 2)
MMA_16_8(tf32, tf32, f32, 8, 1, 1)
MMA_16_8(f64_k16, f64, f64, 16, 1, 1)

/* m8n8k4. */
void emulated_mma_f64(void) {
  union operand(*warp)[kMaxOperands] = exchange();
  int64_t lane = current % kWarp;
  for (int64_t i = 0; i < 2; ++i) {
    double sum = warp[lane][2 + i].f64;
    for (int64_t t = 0; t < 4; ++t)
      sum += from_f64(warp[lane / 4 * 4 + t], 0) *
             from_f64(warp[(lane % 4 * 2 + i) * 4 + t], 1);
    results[current][i].f64 = sum;
  }
}

/*===----------------------------------------------------------------------===*\
 * Products of cuBLASLt
\*===----------------------------------------------------------------------===*/

/* Those of boostr_runtime.h. */
struct matrix {
  void *data;
  int64_t row_stride, column_stride, batch_stride;
};
struct type {
  uint8_t code, bits;
  uint16_t lanes;
};
struct product {
  int64_t rows, columns, steps, batch;
  struct matrix lhs, rhs, result, addend;
  const void *bias;
  int64_t bias_stride;
  void *lhs_sums;
  struct type element, result_element, sums_element;
  uint32_t flags;
};
enum { kNoProduct, kProduct, kProductAndSums };
enum { kBFloat = 4 };

static double load_element(struct type type, const void *data, int64_t index) {
  if (type.bits == 64)
    return ((const double *)data)[index];
  if (type.bits == 32)
    return ((const float *)data)[index];
  if (type.code != kBFloat)
    return ((const _Float16 *)data)[index];
  union operand value = {.bits = (uint32_t)((const uint16_t *)data)[index]
                                 << 16};
  return value.f32;
}

/* Rounds once, to nearest, ties to even. */
static void store_element(struct type type, void *data, int64_t index,
                          double value) {
  if (type.bits == 64)
    ((double *)data)[index] = value;
  else if (type.bits == 32)
    ((float *)data)[index] = value;
  else if (type.code != kBFloat)
    ((_Float16 *)data)[index] = (_Float16)(float)value;
  else {
    union operand single = {.f32 = value};
    uint32_t bits = single.bits + 0x7fff + (single.bits >> 16 & 1);
    ((uint16_t *)data)[index] = bits >> 16;
  }
}

static double load_matrix(struct type type, const struct matrix *matrix,
                          int64_t batch, int64_t row, int64_t column) {
  return load_element(type, matrix->data,
                      batch * matrix->batch_stride + row * matrix->row_stride +
                          column * matrix->column_stride);
}

/* What a matrix must be like for cuBLAS. */
static void check_matrix(const struct matrix *matrix, int64_t rows,
                         int64_t columns) {
  int64_t leading =
      matrix->column_stride == 1 ? matrix->row_stride : matrix->column_stride;
  int64_t line = matrix->column_stride == 1 ? columns : rows;
  int64_t count = matrix->column_stride == 1 ? rows : columns;
  if ((matrix->column_stride != 1 && matrix->row_stride != 1) ||
      (leading < line && count > 1))
    fail("a matrix that cuBLAS would refuse");
}

/* BOOSTR_EMULATED_CUBLASLT is "missing", "refuses" products, "refuses sums", or
 * not set. */
static int behaves(const char *how) {
  const char *set = getenv("BOOSTR_EMULATED_CUBLASLT");
  return set && strcmp(set, how) == 0;
}

__attribute__((visibility("hidden"))) int32_t boostr_cuda_has_cublaslt(void) {
  return !behaves("missing");
}

/* Stands in for the runtime's. */
__attribute__((visibility("hidden"))) int32_t
boostr_cuda_multiply(const struct product *p) {
  if (p->steps == 0 || behaves("missing") || behaves("refuses"))
    return kNoProduct;
  if (p->rows == 0 || p->columns == 0)
    return kProduct;
  check_matrix(&p->lhs, p->rows, p->steps);
  check_matrix(&p->rhs, p->columns, p->steps);
  check_matrix(&p->result, p->rows, p->columns);
  if (p->result.column_stride != 1)
    fail("a result that runs along its rows");
  for (int64_t b = 0; b < p->batch; ++b)
    for (int64_t i = 0; i < p->rows; ++i)
      for (int64_t j = 0; j < p->columns; ++j) {
        double sum = 0.0;
        for (int64_t k = 0; k < p->steps; ++k)
          sum += load_matrix(p->element, &p->lhs, b, i, k) *
                 load_matrix(p->element, &p->rhs, b, j, k);
        if (p->addend.data)
          sum += load_matrix(p->result_element, &p->addend, b, i, j);
        if (p->bias)
          sum +=
              load_element(p->result_element, p->bias, b * p->bias_stride + j);
        store_element(p->result_element, p->result.data,
                      b * p->result.batch_stride + i * p->result.row_stride + j,
                      sum);
      }
  if (!p->lhs_sums || behaves("refuses sums"))
    return kProduct;
  for (int64_t i = 0; i < p->rows; ++i) {
    double sum = 0.0;
    for (int64_t k = 0; k < p->steps; ++k)
      sum += load_matrix(p->element, &p->lhs, 0, i, k);
    store_element(p->sums_element, p->lhs_sums, i, sum);
  }
  return kProductAndSums;
}
