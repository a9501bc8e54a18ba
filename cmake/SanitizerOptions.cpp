// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linked into tools that are built with AddressSanitizer. LLVM's allocators
// poison what they have not handed out: code of ours that is inlined from
// LLVM's headers does so, the packaged libLLVM does not, and each then trips
// over the other.

extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}
