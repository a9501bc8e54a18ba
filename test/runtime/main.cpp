// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "gtest/gtest.h"

// What some tests do on purpose is an error by default for the sanitizers: to
// ask for more memory than there is, and to start threads after a fork.
extern "C" const char *__asan_default_options() {
  return "allocator_may_return_null=1";
}
extern "C" const char *__tsan_default_options() {
  return "allocator_may_return_null=1:die_after_fork=0";
}

// A driver keeps memory until the process ends, ours for tests too.
extern "C" const char *__lsan_default_suppressions() {
  return "leak:libcuda.so.1\n";
}

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  // Death tests get a fresh process, in which no default context exists yet.
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  return RUN_ALL_TESTS();
}
