// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a context without a host's allocator allocates from.

#ifndef BOOSTR_RUNTIME_SCRATCHPOOL_H
#define BOOSTR_RUNTIME_SCRATCHPOOL_H

#include "boostr/runtime/boostr_runtime.h"

#include <atomic>

namespace boostr::runtime {

/// The C library's allocator, with huge pages for large blocks, some of which
/// stay here for the next call: to clear new pages takes longer than most of
/// what is done with them. Has no lock, which a fork could leave locked.
class ScratchPool {
public:
  /// Keeps at most `maxBytes`.
  explicit ScratchPool(size_t maxBytes) : maxBytes(maxBytes) {}
  ScratchPool(const ScratchPool &) = delete;
  ScratchPool &operator=(const ScratchPool &) = delete;
  ~ScratchPool();

  /// As an allocator, whose state this is.
  boostr_allocator getAllocator();

  /// Bytes that no one uses now.
  size_t numKept() const { return kept.load(std::memory_order_relaxed); }

private:
  static void *allocate(void *state, size_t bytes, size_t alignment);
  static void release(void *state, void *block, size_t bytes);
  void *empty(std::atomic<void *> &slot, size_t &bytes);
  void *take(size_t bytes, size_t alignment);
  void makeRoom(size_t bytes);
  bool keep(void *block, size_t bytes);

  static constexpr size_t numSlots = 64;
  const size_t maxBytes;
  std::atomic<size_t> kept{0};
  /// A block, which begins with its size, or null.
  std::atomic<void *> slots[numSlots] = {};
};

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_SCRATCHPOOL_H
