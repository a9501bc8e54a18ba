// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Functions with code for several CPUs.

#include "Fixtures.h"

using namespace boostr::runtime::test;

namespace {

/// Bits of boostr_function.cpu_features: what no CPU has, and what this one
/// has or not.
constexpr uint64_t kNone = uint64_t{1} << 63;
constexpr uint64_t kSse3 = 1, kSsse3 = 2, kAvx = 1 << 5;

class Variants : public testing::Test {
protected:
  Variants() {
    for (Function *variant : {&first, &second, &third})
      list.push_back(&variant->raw);
    list.push_back(nullptr);
    function.raw.variants = list.data();
    function.raw.cpu_features = kNone; // Of no matter.
    hasRun = 0;
  }

  std::string call() {
    boostr_status status = function.call({}, {});
    return status == BOOSTR_OK ? "ok" : boostr_last_error();
  }

  static int hasRun;
  Function function{{}, {}, [](void **) { hasRun = -1; }};
  Function first{{}, {}, [](void **) { hasRun = 1; }};
  Function second{{}, {}, [](void **) { hasRun = 2; }};
  Function third{{}, {}, [](void **) { hasRun = 3; }};
  std::vector<const boostr_function *> list;
};

int Variants::hasRun = 0;

bool hasSsse3() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse3") && __builtin_cpu_supports("ssse3");
#else
  return false;
#endif
}

} // namespace

TEST_F(Variants, the_one_that_needs_most_of_what_is_there) {
  if (!hasSsse3())
    GTEST_SKIP() << "this CPU has no ssse3";
  first.raw.cpu_features = kSse3;
  second.raw.cpu_features = kSse3 | kSsse3;
  third.raw.cpu_features = kSse3 | kSsse3 | kAvx | kNone;
  EXPECT_EQ(call(), "ok");
  EXPECT_EQ(hasRun, 2);
  std::swap(list[0], list[1]);
  EXPECT_EQ(call(), "ok");
  EXPECT_EQ(hasRun, 2);
}

TEST_F(Variants, the_first_of_equal_ones) {
  EXPECT_EQ(call(), "ok");
  EXPECT_EQ(hasRun, 1);
}

TEST_F(Variants, the_common_one_if_no_other_suits) {
  first.raw.cpu_features = third.raw.cpu_features = kNone;
  EXPECT_EQ(call(), "ok");
  EXPECT_EQ(hasRun, 2);
}

TEST_F(Variants, plain_entries_too) {
  first.raw.cpu_features = kNone;
  EXPECT_EQ(boostr_invoke(nullptr, &function.raw, nullptr), BOOSTR_OK);
  EXPECT_EQ(hasRun, 2);
}

TEST_F(Variants, negative_none_suits) {
  for (Function *variant : {&first, &second, &third})
    variant->raw.cpu_features = kNone;
  EXPECT_EQ(call(), "function 'test_function': expected one of the CPUs for "
                    "which it was compiled; this one has not, or the system "
                    "does not permit, '?', '?', '?'");
  EXPECT_EQ(function.call({}, {}), BOOSTR_UNSUPPORTED);
  EXPECT_EQ(hasRun, 0);
}

TEST_F(Variants, negative_one_of_another_version) {
  second.raw.abi_version = BOOSTR_ABI_VERSION + 1;
  EXPECT_EQ(function.call({}, {}), BOOSTR_UNSUPPORTED);
  EXPECT_EQ(hasRun, 0);
}

/// What a compiler of minor version 2 wrote ends before `variants`.
TEST_F(Variants, function_of_minor_version_2) {
  function.raw.abi_version = 1002;
  function.raw.cpu_features = 0;
  EXPECT_EQ(call(), "ok");
  EXPECT_EQ(hasRun, -1);
}
