// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/ScratchPool.h"

#include "boostr/runtime/Allocator.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

using namespace boostr::runtime;

/// Smaller blocks come from the C library each time. Larger ones are whole huge
/// pages: their lines then do not get into each other's way in the cache, as
/// those of small pages from anywhere do.
static constexpr size_t minKept = hugePageSize / 8;

/// The size of a block that holds `bytes`.
static size_t roundUp(size_t bytes) {
  return (bytes + hugePageSize - 1) & ~(hugePageSize - 1);
}

static size_t getSize(void *block) {
  size_t bytes;
  std::memcpy(&bytes, block, sizeof(bytes));
  return bytes;
}

ScratchPool::~ScratchPool() {
  for (std::atomic<void *> &slot : slots)
    if (void *block = slot.load(std::memory_order_acquire))
      giveBlockBack(systemAllocator(), block, getSize(block));
}

boostr_allocator ScratchPool::getAllocator() {
  return {this, allocate, release};
}

/// What is in a slot, and its size; null if there is nothing.
void *ScratchPool::empty(std::atomic<void *> &slot, size_t &bytes) {
  // Most slots are empty, and reading is cheaper than writing.
  if (!slot.load(std::memory_order_relaxed))
    return nullptr;
  void *block = slot.exchange(nullptr, std::memory_order_acquire);
  if (block) {
    bytes = getSize(block);
    kept.fetch_sub(bytes, std::memory_order_relaxed);
  }
  return block;
}

/// A block of that size, or null.
void *ScratchPool::take(size_t bytes, size_t alignment) {
  for (std::atomic<void *> &slot : slots) {
    size_t size;
    void *block = empty(slot, size);
    if (!block)
      continue;
    if (size == bytes && reinterpret_cast<uintptr_t>(block) % alignment == 0)
      return block;
    if (!keep(block, size))
      giveBlockBack(systemAllocator(), block, size);
  }
  return nullptr;
}

/// Gives blocks back until `bytes` more have room, if they can have any.
void ScratchPool::makeRoom(size_t bytes) {
  for (std::atomic<void *> &slot : slots) {
    if (bytes > maxBytes || numKept() + bytes <= maxBytes)
      return;
    size_t size;
    if (void *block = empty(slot, size))
      giveBlockBack(systemAllocator(), block, size);
  }
}

/// False if there is no room for it.
bool ScratchPool::keep(void *block, size_t bytes) {
  if (kept.fetch_add(bytes, std::memory_order_relaxed) + bytes <= maxBytes) {
    std::memcpy(block, &bytes, sizeof(bytes));
    for (std::atomic<void *> &slot : slots) {
      void *empty = nullptr;
      if (slot.compare_exchange_strong(empty, block, std::memory_order_release,
                                       std::memory_order_relaxed))
        return true;
    }
  }
  kept.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void *ScratchPool::allocate(void *state, size_t bytes, size_t alignment) {
  if (bytes < minKept)
    return takeBlock(systemAllocator(), bytes, alignment);
  auto &pool = *static_cast<ScratchPool *>(state);
  bytes = roundUp(bytes);
  alignment = std::max(alignment, hugePageSize);
  if (void *block = pool.take(bytes, alignment))
    return block;
  return takeBlock(systemAllocator(), bytes, alignment);
}

void ScratchPool::release(void *state, void *block, size_t bytes) {
  auto &pool = *static_cast<ScratchPool *>(state);
  if (bytes >= minKept) {
    // What was used last is what is asked for next.
    pool.makeRoom(roundUp(bytes));
    if (pool.keep(block, roundUp(bytes)))
      return;
  }
  giveBlockBack(systemAllocator(), block, bytes);
}
