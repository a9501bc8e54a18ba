// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Inputs that are weights packed ahead of time.

#include "Fixtures.h"

using namespace boostr::runtime::test;

namespace {

class PackedLayout : public testing::Test {
protected:
  PackedLayout() : bytes(i8, {64}), other(i8, {64}) {
    function.raw.input_layouts = layouts;
    write("rows of 12");
    hasRun = false;
  }

  /// Makes `bytes` a weight that is packed as `layout`.
  void write(const char *layout) {
    std::memset(bytes.as<char>(), 'x', 64);
    std::memcpy(bytes.as<char>(), "BOOSTRPK\x40\0\0\0\0\0\0\0", 16);
    std::strcpy(bytes.as<char>() + 16, layout);
  }

  std::string call() {
    boostr_status status = function.call({&other.dl, &bytes.dl}, {});
    return status == BOOSTR_OK ? "ok" : boostr_last_error();
  }

  static bool hasRun;
  const char *layouts[2] = {nullptr, "rows of 12"};
  Function function{{{"x", i8, {64}}, {"weight", i8, {64}}}, {}, [](void **) {
                      hasRun = true;
                    }};
  Tensor bytes, other;
};

bool PackedLayout::hasRun = false;

} // namespace

TEST_F(PackedLayout, as_the_function_wants_it) {
  EXPECT_EQ(call(), "ok");
  EXPECT_TRUE(hasRun);
}

TEST_F(PackedLayout, behind_an_offset) {
  Tensor longer(i8, {72});
  std::memcpy(longer.as<char>() + 8, bytes.as<char>(), 64);
  bytes.dl.data = longer.dl.data;
  bytes.dl.byte_offset = 8;
  EXPECT_EQ(call(), "ok");
}

TEST_F(PackedLayout, negative_another) {
  write("rows of 6");
  EXPECT_EQ(call(), "argument 1 'weight': expected a weight packed as rows of "
                    "12, got one packed as rows of 6");
  EXPECT_FALSE(hasRun);
}

TEST_F(PackedLayout, negative_another_of_another_size) {
  write("rows of 6");
  bytes.shape[0] = 48;
  EXPECT_EQ(call(), "argument 1 'weight': expected a weight packed as rows of "
                    "12, got one packed as rows of 6");
}

TEST_F(PackedLayout, negative_no_packed_weight) {
  std::string expected = "argument 1 'weight': expected a weight packed as "
                         "rows of 12, got bytes that are no packed weight";
  bytes.as<char>()[0] = 'b';
  EXPECT_EQ(call(), expected);
  // No text that ends before the bytes do.
  write("rows of 12");
  bytes.shape[0] = 20;
  EXPECT_EQ(call(), expected);
  bytes.shape[0] = 7;
  EXPECT_EQ(call(), expected);
}

TEST_F(PackedLayout, negative_whole_header_of_another_size) {
  bytes.shape[0] = 63;
  EXPECT_EQ(call(), "argument 1 'weight': expected shape [64], got [63]");
}

TEST_F(PackedLayout, negative_what_is_wrong_otherwise_is_said) {
  bytes.dl.dtype = f32;
  EXPECT_EQ(call(), "argument 1 'weight': expected element type i8, got f32");
  bytes.dl.dtype = i8;
  bytes.dl.data = nullptr;
  EXPECT_EQ(call(), "argument 1 'weight': expected data, got a null pointer");
}

/// What a compiler of minor version 2 wrote ends before `input_layouts`.
TEST_F(PackedLayout, function_of_minor_version_2) {
  function.raw.abi_version = 1002;
  write("rows of 6");
  EXPECT_EQ(call(), "ok");
}
