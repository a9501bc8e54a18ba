// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/cuda/HostAllocator.h"

#include "boostr/runtime/Status.h"

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

/// As in "cannot allocate 8 bytes on cuda:0: cuda_allocator 'PyTorch': ".
static Message beginMessage(const boostr_cuda_allocator &allocator,
                            BlockPlace place, size_t bytes) {
  Message message{};
  message << "cannot allocate " << static_cast<int64_t>(bytes) << " bytes on "
          << DLDevice{kDLCUDA, place.device} << ": cuda_allocator";
  if (allocator.name)
    message << " '" << allocator.name << "'";
  return message << ": ";
}

/// The status that the allocator returned, which may be any number.
static boostr_status failAs(boostr_status returned, Message message) {
  // The numbers that this version of the interface lists.
  bool isKnown = returned > BOOSTR_OK && returned <= BOOSTR_INTERNAL;
  if (isKnown)
    return fail(returned, message << boostr_status_name(returned));
  return fail(BOOSTR_INTERNAL, message << "expected a status, got "
                                       << static_cast<int64_t>(returned));
}

boostr_status
boostr::runtime::cuda::takeBlock(const boostr_cuda_allocator &allocator,
                                 BlockPlace place, size_t bytes,
                                 size_t alignment, void *&block) {
  void *taken = nullptr;
  boostr_status status;
  try {
    status = allocator.allocate(allocator.state, bytes, alignment, place.device,
                                place.stream, &taken);
  } catch (...) {
    return fail(BOOSTR_INTERNAL, beginMessage(allocator, place, bytes)
                                     << "expected a status, got an exception");
  }
  if (status)
    return failAs(status, beginMessage(allocator, place, bytes));
  auto address = reinterpret_cast<uintptr_t>(taken);
  if (taken && address % alignment == 0) {
    block = taken;
    return BOOSTR_OK;
  }
  if (taken)
    giveBlockBack(allocator, place, taken, bytes);
  Message message = beginMessage(allocator, place, bytes);
  message << "expected an address that is a multiple of "
          << static_cast<int64_t>(alignment) << ", got ";
  return fail(BOOSTR_INTERNAL,
              taken ? message.address(address) : message << "a null pointer");
}

void boostr::runtime::cuda::giveBlockBack(
    const boostr_cuda_allocator &allocator, BlockPlace place, void *block,
    size_t bytes) {
  try {
    allocator.release(allocator.state, block, bytes, place.device,
                      place.stream);
  } catch (...) {
    // The host broke its contract and the block is its own; nobody is here to
    // tell.
  }
}
