// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Where the memory of compiled code comes from.

#ifndef BOOSTR_RUNTIME_ALLOCATOR_H
#define BOOSTR_RUNTIME_ALLOCATOR_H

#include "boostr/runtime/boostr_runtime.h"

namespace boostr::runtime {

/// The least alignment of a block: a cache line, and a vector of AVX-512.
constexpr size_t minAlignment = 64;

/// Blocks of this size and more begin at a multiple of it, and are made of huge
/// pages where the system has some.
constexpr size_t hugePageSize = size_t{2} << 20;

/// The C library as an allocator.
const boostr_allocator &systemAllocator();

/// Whether boostr_allocate takes this alignment.
bool isValidAlignment(size_t alignment);

/// Takes a block from `allocator`; null if there is none. The alignment is a
/// valid one. Requests of zero bytes and more bytes than an object can have are
/// dealt with here, and exceptions of a host's callback are held back.
void *takeBlock(const boostr_allocator &allocator, size_t bytes,
                size_t alignment);

/// Gives a block of `bytes` bytes, as in takeBlock, back.
void giveBlockBack(const boostr_allocator &allocator, void *block,
                   size_t bytes);

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_ALLOCATOR_H
