// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Two copies of the library in one process.

#include "Fixtures.h"

#include <dlfcn.h>
#include <fstream>
#include <unistd.h>

using namespace boostr::runtime::test;

namespace {

/// This process's library, and another copy of it.
class Copies : public testing::Test {
protected:
  void SetUp() override {
    Dl_info info;
    ASSERT_TRUE(dladdr(boostr_runtime_copy(), &info));
    ownPath = info.dli_fname;
    otherPath = testing::TempDir() + "/other_libboostr_runtime.so." +
                std::to_string(getpid());
    std::ifstream from(ownPath, std::ios::binary);
    std::ofstream to(otherPath, std::ios::binary);
    to << from.rdbuf();
    to.close();
    ASSERT_TRUE(from && to);
    void *other = dlopen(otherPath.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(other, nullptr) << dlerror();
    otherCopy = reinterpret_cast<decltype(otherCopy)>(
        dlsym(other, "boostr_runtime_copy"));
    otherInvoke =
        reinterpret_cast<decltype(otherInvoke)>(dlsym(other, "boostr_invoke"));
    otherError = reinterpret_cast<decltype(otherError)>(
        dlsym(other, "boostr_last_error"));
    ASSERT_TRUE(otherCopy && otherInvoke && otherError);
    hasRun = false;
  }
  void TearDown() override { std::remove(otherPath.c_str()); }

  std::string callOther() {
    boostr_status status = otherInvoke(nullptr, &function.raw, nullptr);
    return status == BOOSTR_OK
               ? "ok"
               : std::string(boostr_status_name(status)) + ": " + otherError();
  }

  static std::string refusal(const std::string &asked,
                             const std::string &called) {
    return "BOOSTR_UNSUPPORTED: function 'test_function': expected its code to "
           "call the copy of the runtime that was asked to run it, '" +
           asked + "', got another, '" + called +
           "'; a process needs to load one alone";
  }

  static bool hasRun;
  std::string ownPath, otherPath;
  decltype(boostr_runtime_copy) *otherCopy = nullptr;
  decltype(boostr_invoke) *otherInvoke = nullptr;
  decltype(boostr_last_error) *otherError = nullptr;
  Function function{{}, {}, [](void **) { hasRun = true; }};
};

bool Copies::hasRun = false;

} // namespace

TEST_F(Copies, have_addresses_of_their_own) {
  EXPECT_NE(otherCopy(), nullptr);
  EXPECT_NE(otherCopy(), boostr_runtime_copy());
}

TEST_F(Copies, code_that_calls_the_one_that_runs_it) {
  function.raw.runtime = boostr_runtime_copy;
  EXPECT_EQ(outcome(function.call({}, {})), "ok");
  EXPECT_TRUE(hasRun);
  hasRun = false;
  function.raw.runtime = otherCopy;
  EXPECT_EQ(callOther(), "ok");
  EXPECT_TRUE(hasRun);
}

TEST_F(Copies, negative_code_that_calls_another) {
  for (DLDeviceType device : {kDLCPU, kDLCUDA}) {
    function.raw.device_type = device;
    function.raw.runtime = boostr_runtime_copy;
    EXPECT_EQ(callOther(), refusal(otherPath, ownPath));
    function.raw.runtime = otherCopy;
    std::string expected = refusal(ownPath, otherPath);
    EXPECT_EQ(outcome(function.call({}, {})), expected);
    EXPECT_EQ(outcome(boostr_invoke(nullptr, &function.raw, nullptr)),
              expected);
    EXPECT_EQ(outcome(boostr_output_shapes(&function.raw, nullptr, 0, nullptr)),
              expected);
  }
  EXPECT_FALSE(hasRun);
}

TEST_F(Copies, negative_variant_that_calls_another) {
  Function variant{{}, {}, [](void **) { hasRun = true; }};
  variant.raw.runtime = otherCopy;
  const boostr_function *variants[] = {&variant.raw, nullptr};
  function.raw.variants = variants;
  EXPECT_EQ(outcome(function.call({}, {})), refusal(ownPath, otherPath));
  EXPECT_FALSE(hasRun);
}

/// What a compiler of minor version 4 wrote ends before `runtime`.
TEST_F(Copies, function_of_minor_version_4) {
  function.raw.abi_version = 1004;
  function.raw.runtime = otherCopy;
  EXPECT_EQ(outcome(function.call({}, {})), "ok");
  EXPECT_TRUE(hasRun);
}
