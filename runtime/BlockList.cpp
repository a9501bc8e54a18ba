// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/BlockList.h"

#include "boostr/runtime/Allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace boostr::runtime;

BlockList::~BlockList() {
  if (entries != inPlace)
    std::free(entries);
}

bool BlockList::add(void *block, size_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  if (count == capacity) {
    auto *larger =
        static_cast<Entry *>(std::malloc(2 * capacity * sizeof(Entry)));
    if (!larger)
      return false;
    std::memcpy(larger, entries, count * sizeof(Entry));
    if (entries != inPlace)
      std::free(entries);
    entries = larger;
    capacity *= 2;
  }
  entries[count++] = {block, bytes};
  return true;
}

bool BlockList::remove(void *block, size_t &bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  for (size_t i = count; i-- > 0;) {
    if (entries[i].block != block)
      continue;
    bytes = entries[i].bytes;
    entries[i] = entries[--count];
    return true;
  }
  return false;
}

void *BlockList::take(size_t bytes, size_t alignment) {
  std::lock_guard<std::mutex> lock(mutex);
  for (size_t i = count; i-- > 0;) {
    void *block = entries[i].block;
    if (entries[i].bytes != bytes ||
        reinterpret_cast<uintptr_t>(block) % std::max<size_t>(alignment, 1))
      continue;
    entries[i] = entries[--count];
    return block;
  }
  return nullptr;
}

void BlockList::releaseAll(const boostr_allocator &allocator) {
  std::lock_guard<std::mutex> lock(mutex);
  while (count > 0) {
    --count;
    giveBlockBack(allocator, entries[count].block, entries[count].bytes);
  }
}
