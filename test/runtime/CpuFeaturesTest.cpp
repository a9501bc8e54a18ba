// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Functions that need more of a CPU than all have.

#include "Fixtures.h"

using namespace boostr::runtime::test;

namespace {

class CpuFeatures : public testing::Test {
protected:
  std::string call() {
    return outcome(boostr_call(nullptr, &function.raw, nullptr, 0, nullptr, 0));
  }

  Function function{{}, {}, [](void **) { hasRun = true; }};
  static bool hasRun;

  void SetUp() override { hasRun = false; }
};

bool CpuFeatures::hasRun = false;

/// A feature that this CPU has or lacks; null if there is none such.
struct Feature {
  int bit;
  const char *name;
};

Feature findFeature(bool present) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#define BOOSTR_CPU_FEATURE(bit, name)                                          \
  if (bool(__builtin_cpu_supports(name)) == present)                           \
    return {bit, name};
#include "boostr/runtime/CpuFeatures.def"
#endif
  return {0, nullptr};
}

} // namespace

TEST_F(CpuFeatures, none) {
  EXPECT_EQ(call(), "ok");
  EXPECT_TRUE(hasRun);
}

TEST_F(CpuFeatures, one_that_is_there) {
  Feature feature = findFeature(true);
  if (!feature.name)
    GTEST_SKIP() << "this CPU has none that are listed";
  function.raw.cpu_features = uint64_t{1} << feature.bit;
  EXPECT_EQ(call(), "ok");
}

TEST_F(CpuFeatures, negative_one_that_is_missing) {
  Feature feature = findFeature(false);
  if (!feature.name)
    GTEST_SKIP() << "this CPU has all that are listed";
  function.raw.cpu_features = uint64_t{1} << feature.bit;
  EXPECT_EQ(call(), std::string("BOOSTR_UNSUPPORTED: function: expected a CPU "
                                "with '") +
                        feature.name +
                        "', for which it was compiled; this one has it not, "
                        "or the system does not permit it");
  EXPECT_FALSE(hasRun);
}

TEST_F(CpuFeatures, negative_one_that_is_not_known) {
  function.raw.cpu_features = uint64_t{1} << 63;
  EXPECT_EQ(call(), "BOOSTR_UNSUPPORTED: function: compiled for a CPU that "
                    "this runtime does not know");
  EXPECT_FALSE(hasRun);
}

/// What a compiler of minor version 1 wrote ends before `cpu_features`.
TEST_F(CpuFeatures, function_of_minor_version_1) {
  function.raw.abi_version = 1001;
  function.raw.cpu_features = uint64_t{1} << 63;
  EXPECT_EQ(call(), "ok");
  EXPECT_TRUE(hasRun);
}
