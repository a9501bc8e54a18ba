// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytes of arrays, where vectors are read fast.

#ifndef BOOSTR_TOOLS_BOOSTRRUN_ALIGNEDBYTES_H
#define BOOSTR_TOOLS_BOOSTRRUN_ALIGNEDBYTES_H

#include <new>
#include <sys/mman.h>
#include <vector>

/// Memory at a multiple of 64 bytes, of which large blocks are in huge pages if
/// the system has some.
template <typename T> struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <typename Other> AlignedAllocator(const AlignedAllocator<Other> &) {}

  T *allocate(size_t count) {
    constexpr size_t huge = size_t(2) << 20;
    size_t bytes = count * sizeof(T);
    auto *block = static_cast<T *>(
        ::operator new(bytes, std::align_val_t(getAlignment(count))));
    if (bytes >= huge)
      madvise(block, bytes, MADV_HUGEPAGE);
    return block;
  }
  void deallocate(T *block, size_t count) {
    ::operator delete(block, std::align_val_t(getAlignment(count)));
  }
  bool operator==(const AlignedAllocator &) const { return true; }
  bool operator!=(const AlignedAllocator &) const { return false; }

private:
  static size_t getAlignment(size_t count) {
    constexpr size_t line = 64, huge = size_t(2) << 20;
    return count * sizeof(T) >= huge ? huge : line;
  }
};

using AlignedBytes = std::vector<char, AlignedAllocator<char>>;

#endif // BOOSTR_TOOLS_BOOSTRRUN_ALIGNEDBYTES_H
