// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Numbers by which blocks of a kernel know each other's marks in memory that
// nobody has cleared.

#include "boostr/runtime/boostr_runtime.h"

#include <atomic>
#include <chrono>

/// Of one of the process's copies of the runtime: its place differs from that
/// of others, its time from that of earlier processes.
static uint64_t getSeed() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  auto place = reinterpret_cast<uintptr_t>(&getSeed);
  return static_cast<uint64_t>(now.count()) ^ (uint64_t{place} << 20);
}

/// The n-th number of SplitMix64 (Steele, Lea, Flood: Fast splittable
/// pseudorandom number generators, 2014): a bijection of n, so none twice.
static uint64_t mix(uint64_t n) {
  uint64_t z = n * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t boostr_cuda_token(void) noexcept {
  static std::atomic<uint64_t> next{getSeed()};
  // Zero is what cleared memory has.
  while (true)
    if (uint64_t token = mix(next.fetch_add(1, std::memory_order_relaxed)))
      return token;
}
