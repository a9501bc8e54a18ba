// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Fixtures.h"

#include <thread>

using namespace boostr::runtime::test;

extern "C" int boostr_test_from_c(char *message, size_t size);

TEST(Status, names) {
  EXPECT_STREQ(boostr_status_name(BOOSTR_OK), "BOOSTR_OK");
  EXPECT_STREQ(boostr_status_name(BOOSTR_INVALID_ARGUMENT),
               "BOOSTR_INVALID_ARGUMENT");
  EXPECT_STREQ(boostr_status_name(BOOSTR_OUT_OF_MEMORY),
               "BOOSTR_OUT_OF_MEMORY");
  EXPECT_STREQ(boostr_status_name(BOOSTR_UNAVAILABLE), "BOOSTR_UNAVAILABLE");
  EXPECT_STREQ(boostr_status_name(BOOSTR_UNSUPPORTED), "BOOSTR_UNSUPPORTED");
  EXPECT_STREQ(boostr_status_name(BOOSTR_CANCELLED), "BOOSTR_CANCELLED");
  EXPECT_STREQ(boostr_status_name(BOOSTR_INTERNAL), "BOOSTR_INTERNAL");
  EXPECT_STREQ(boostr_status_name(static_cast<boostr_status>(77)),
               "BOOSTR_STATUS_UNKNOWN");
}

TEST(Status, abi_version_of_library_is_that_of_header) {
  EXPECT_EQ(boostr_abi_version(), BOOSTR_ABI_VERSION);
}

TEST(Status, message_belongs_to_thread) {
  ASSERT_EQ(boostr_call(nullptr, nullptr, nullptr, 0, nullptr, 0),
            BOOSTR_INVALID_ARGUMENT);
  std::string mine = boostr_last_error();
  EXPECT_EQ(mine, "function: expected a compiled function, got a null pointer");
  std::thread([] {
    EXPECT_STREQ(boostr_last_error(), "");
    EXPECT_EQ(boostr_context_create(nullptr, nullptr), BOOSTR_INVALID_ARGUMENT);
    EXPECT_STRNE(boostr_last_error(), "");
  }).join();
  EXPECT_EQ(boostr_last_error(), mine);
}

TEST(Status, success_leaves_message) {
  ASSERT_NE(boostr_context_create(nullptr, nullptr), BOOSTR_OK);
  std::string before = boostr_last_error();
  ContextPtr context = makeContext(1);
  EXPECT_EQ(invoke(context.get(), [] {}), BOOSTR_OK);
  EXPECT_EQ(boostr_last_error(), before);
}

TEST(Status, long_message_is_cut_and_stays_one_line) {
  std::string name(4000, 'x');
  name[0] = '\n';
  Function function({{name.c_str(), f32, {2}}}, {}, [](void **) {});
  ASSERT_EQ(function.call({nullptr}, {}), BOOSTR_INVALID_ARGUMENT);
  std::string message = boostr_last_error();
  EXPECT_EQ(message.size(), 1023u);
  EXPECT_EQ(message.substr(0, 14), "argument 0 '?x");
  EXPECT_EQ(message.substr(1020), "...");
}

TEST(Status, header_works_from_c) {
  char message[256];
  EXPECT_EQ(boostr_test_from_c(message, sizeof(message)), 0) << message;
}
