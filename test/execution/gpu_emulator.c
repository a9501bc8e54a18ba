/* Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs a block of GPU threads on one CPU thread: each is a coroutine that runs
 * from barrier to barrier. gpu_emulator.py says how kernels get here.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { kMaxThreads = 1024, kStackBytes = 1 << 18, kWarp = 32 };

static ucontext_t scheduler, threads[kMaxThreads];
static char *stacks;
static int64_t current, num_threads;
static int is_done[kMaxThreads];
static double exchanged[kMaxThreads];
static void (*running)(void *, int64_t);
static void *running_context;

static void run_thread(void) {
  running(running_context, current);
  is_done[current] = 1;
}

/* Stands in for the runtime's: iterations are the threads of a block. */
__attribute__((visibility("hidden"))) void
boostr_parallel_for(void (*task)(void *, int64_t), void *context,
                    int64_t count) {
  if (!stacks)
    stacks = mmap(NULL, (size_t)kMaxThreads * kStackBytes,
                  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (count > kMaxThreads || stacks == MAP_FAILED)
    abort();
  running = task;
  running_context = context;
  num_threads = count;
  for (int64_t i = 0; i < count; ++i) {
    getcontext(&threads[i]);
    threads[i].uc_stack.ss_sp = stacks + i * kStackBytes;
    threads[i].uc_stack.ss_size = kStackBytes;
    threads[i].uc_link = &scheduler;
    is_done[i] = 0;
    makecontext(&threads[i], run_thread, 0);
  }
  /* To and fro, so that what must not depend on the order does not. */
  int is_backward = 0;
  for (int64_t left = count; left > 0; is_backward = !is_backward)
    for (int64_t turn = 0; turn < count; ++turn) {
      int64_t i = is_backward ? count - 1 - turn : turn;
      if (is_done[i])
        continue;
      current = i;
      swapcontext(&scheduler, &threads[i]);
      left -= is_done[i];
    }
}

void emulated_barrier(void) {
  int64_t self = current;
  swapcontext(&threads[self], &scheduler);
}

/* All threads of a block exchange at once. */
static double exchange(double value, int64_t lane) {
  int64_t self = current;
  exchanged[self] = value;
  emulated_barrier();
  double result = exchanged[self / kWarp * kWarp + lane % kWarp];
  emulated_barrier();
  return result;
}
float emulated_shuffle_f32(float value, int32_t mask) {
  return (float)exchange(value, (current % kWarp) ^ mask);
}
double emulated_shuffle_f64(double value, int32_t mask) {
  return exchange(value, (current % kWarp) ^ mask);
}
