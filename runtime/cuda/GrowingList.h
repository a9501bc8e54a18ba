// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Lists that grow only, and are read without a lock.

#ifndef BOOSTR_RUNTIME_CUDA_GROWINGLIST_H
#define BOOSTR_RUNTIME_CUDA_GROWINGLIST_H

#include <atomic>

namespace boostr::runtime::cuda {

/// Puts `node`, which nobody else knows yet, in front of a list.
template <class Node> void pushFront(std::atomic<Node *> &first, Node *node) {
  node->next = first.load(std::memory_order_relaxed);
  while (!first.compare_exchange_weak(
      node->next, node, std::memory_order_release, std::memory_order_relaxed))
    ;
}

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_GROWINGLIST_H
