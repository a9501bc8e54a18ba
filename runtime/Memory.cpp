// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Allocation by compiled code.

#include "boostr/runtime/Allocator.h"
#include "boostr/runtime/Invocation.h"

using namespace boostr::runtime;

/// Notes the failure and leaves the frame.
[[noreturn]] static void leave(Frame &frame, boostr_status status,
                               const Message &message) {
  frame.invocation.report(status, message);
  frame.leave();
}

/// Without a frame there is no way out and no context: just the C library.
static void *allocateOutside(size_t bytes, size_t alignment) {
  if (!isValidAlignment(alignment))
    return nullptr;
  return takeBlock(systemAllocator(), bytes, alignment);
}

/// A block for `frame`; null if there is no memory.
static void *takeFor(Frame &frame, size_t bytes, size_t alignment) {
  Invocation &invocation = frame.invocation;
  if (frame.insideTask)
    if (void *spare = invocation.spareBlocks.take(bytes, alignment))
      return spare;
  return takeBlock(invocation.allocator, bytes, alignment);
}

/// Takes back a block that was of `frame`.
static void giveBack(Frame &frame, void *block, size_t bytes) {
  Invocation &invocation = frame.invocation;
  if (frame.insideTask && invocation.spareBlocks.add(block, bytes))
    return;
  giveBlockBack(invocation.allocator, block, bytes);
}

void *boostr_allocate(size_t bytes, size_t alignment) noexcept {
  Frame *frame = currentFrame();
  if (!frame)
    return allocateOutside(bytes, alignment);
  if (!isValidAlignment(alignment))
    leave(*frame, BOOSTR_INTERNAL,
          Message{} << "alignment of an allocation: expected a power of two, "
                       "got "
                    << static_cast<int64_t>(alignment));
  const boostr_allocator &allocator = frame->invocation.allocator;
  void *block = takeFor(*frame, bytes, alignment);
  if (block && frame->blocks.add(block, bytes))
    return block;
  if (block)
    giveBlockBack(allocator, block, bytes);
  Message message{};
  message << "cannot allocate ";
  // Sizes beyond that are negative ones that compiled code took for unsigned.
  if (bytes > PTRDIFF_MAX)
    message << "more bytes than there are addresses";
  else
    message << static_cast<int64_t>(bytes) << " bytes";
  leave(*frame, BOOSTR_OUT_OF_MEMORY, message);
}

void boostr_release(void *block) noexcept {
  if (!block)
    return;
  size_t bytes;
  for (Frame *frame = currentFrame(); frame; frame = frame->parent)
    if (frame->blocks.remove(block, bytes))
      return giveBack(*frame, block, bytes);
  giveBlockBack(systemAllocator(), block, 0);
}

void *_mlir_memref_to_llvm_alloc(size_t bytes) noexcept {
  return boostr_allocate(bytes, 0);
}

void *_mlir_memref_to_llvm_aligned_alloc(size_t alignment,
                                         size_t bytes) noexcept {
  return boostr_allocate(bytes, alignment);
}

void _mlir_memref_to_llvm_free(void *block) noexcept { boostr_release(block); }
