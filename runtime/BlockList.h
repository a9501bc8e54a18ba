// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Blocks of an invocation: those that it has allocated and not freed, and spare
// ones.

#ifndef BOOSTR_RUNTIME_BLOCKLIST_H
#define BOOSTR_RUNTIME_BLOCKLIST_H

#include "boostr/runtime/boostr_runtime.h"

#include <mutex>

namespace boostr::runtime {

/// A set of blocks with their sizes. Sets are small and mostly used like
/// stacks, so looking from the end is all the search there is.
class BlockList {
public:
  BlockList() = default;
  BlockList(const BlockList &) = delete;
  BlockList &operator=(const BlockList &) = delete;
  ~BlockList();

  /// False if there is no memory to note it down.
  bool add(void *block, size_t bytes);

  /// Takes `block` out and tells its size; false if it is not in the set.
  bool remove(void *block, size_t &bytes);

  /// Takes a block of just `bytes` bytes and that alignment out; null if there
  /// is none.
  void *take(size_t bytes, size_t alignment);

  /// Gives all blocks back to `allocator`.
  void releaseAll(const boostr_allocator &allocator);

private:
  struct Entry {
    void *block;
    size_t bytes;
  };
  static constexpr size_t numInPlace = 16;

  /// A frame's owner does not run while its tasks do, but tasks of several
  /// threads may free blocks of that frame at once.
  std::mutex mutex;
  Entry inPlace[numInPlace];
  Entry *entries = inPlace;
  size_t count = 0;
  size_t capacity = numInPlace;
};

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_BLOCKLIST_H
