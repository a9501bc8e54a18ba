// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/Allocator.h"

#include <algorithm>
#include <cstdlib>
#include <sys/mman.h>

using namespace boostr::runtime;

//===----------------------------------------------------------------------===//
// The C library
//===----------------------------------------------------------------------===//

static void *allocateFromSystem(void *, size_t bytes, size_t alignment) {
  if (bytes >= hugePageSize)
    alignment = std::max(alignment, hugePageSize);
  void *block = nullptr;
  if (posix_memalign(&block, alignment, bytes) != 0)
    return nullptr;
#ifdef MADV_HUGEPAGE
  // Only advice: without huge pages the block is as good, but slower. The end
  // stays outside, because the rest of its page may belong to someone else.
  if (bytes >= hugePageSize)
    (void)madvise(block, bytes & ~(hugePageSize - 1), MADV_HUGEPAGE);
#endif
  return block;
}

static void releaseToSystem(void *, void *block, size_t) { std::free(block); }

const boostr_allocator &boostr::runtime::systemAllocator() {
  static constexpr boostr_allocator allocator = {nullptr, allocateFromSystem,
                                                 releaseToSystem};
  return allocator;
}

//===----------------------------------------------------------------------===//
// Any allocator
//===----------------------------------------------------------------------===//

bool boostr::runtime::isValidAlignment(size_t alignment) {
  return (alignment & (alignment - 1)) == 0;
}

/// What is asked for in place of zero bytes, which allocators treat variously.
static size_t atLeastOne(size_t bytes) { return std::max<size_t>(bytes, 1); }

void *boostr::runtime::takeBlock(const boostr_allocator &allocator,
                                 size_t bytes, size_t alignment) {
  // Also what a negative extent comes to.
  if (bytes > PTRDIFF_MAX)
    return nullptr;
  try {
    return allocator.allocate(allocator.state, atLeastOne(bytes),
                              std::max(alignment, minAlignment));
  } catch (...) {
    return nullptr;
  }
}

void boostr::runtime::giveBlockBack(const boostr_allocator &allocator,
                                    void *block, size_t bytes) {
  try {
    allocator.release(allocator.state, block, atLeastOne(bytes));
  } catch (...) {
    // The host broke its contract and the block is its own; nobody is here to
    // tell.
  }
}
