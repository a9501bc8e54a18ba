// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "XlaMemory.h"

using namespace boostr_python;

/// That of the call that this thread is in. One context serves all calls, while
/// allocators come with calls; the runtime asks for memory on the thread that
/// called it.
static thread_local xla::ffi::ScratchAllocator *currentScratch = nullptr;

static boostr_status allocate(void *, size_t bytes, size_t alignment, int32_t,
                              void *, void **block) {
  // XLA takes no larger one, though its blocks begin at multiples of 256.
  constexpr size_t mostOfXla = 16;
  size_t more = alignment > mostOfXla ? alignment - mostOfXla : 0;
  try {
    std::optional<void *> taken =
        currentScratch->Allocate(bytes + more, mostOfXla);
    if (!taken || !*taken)
      return BOOSTR_OUT_OF_MEMORY;
    auto address = reinterpret_cast<uintptr_t>(*taken);
    *block = reinterpret_cast<void *>((address + alignment - 1) / alignment *
                                      alignment);
    return BOOSTR_OK;
  } catch (const std::bad_alloc &) { // Of its list of blocks.
    return BOOSTR_OUT_OF_MEMORY;
  }
}

/// XLA takes all of them back at the end of the call.
static void release(void *, void *, size_t, int32_t, void *) {}

XlaMemory::XlaMemory(xla::ffi::ScratchAllocator &scratch)
    : outer(currentScratch) {
  currentScratch = &scratch;
}

XlaMemory::~XlaMemory() { currentScratch = outer; }

boostr_status XlaMemory::get(boostr_context *&context) const {
  struct Shared {
    boostr_context *context = nullptr;
    boostr_status status;
    Shared() {
      boostr_cuda_allocator allocator = {nullptr, "XLA", &allocate, &release};
      boostr_context_options options = {};
      options.size = sizeof(options);
      // Of no concern to CUDA functions.
      options.num_threads = 1;
      options.cuda_allocator = &allocator;
      status = boostr_context_create(&options, &context);
    }
  };
  // Lives as long as the process, as XLA's threads do.
  static const Shared &shared = *new Shared();
  context = shared.context;
  return shared.status;
}
