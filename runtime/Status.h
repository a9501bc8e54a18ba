// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Text of failures, and the calling thread's last one. Nothing here allocates,
// so that running out of memory can be reported too.

#ifndef BOOSTR_RUNTIME_STATUS_H
#define BOOSTR_RUNTIME_STATUS_H

#include "boostr/runtime/boostr_runtime.h"

namespace boostr::runtime {

/// One line of text. What exceeds the capacity is cut off and ends in "...".
/// All zero bytes are an empty message.
class Message {
public:
  Message &operator<<(const char *more);
  Message &operator<<(int64_t number);
  Message &operator<<(DLDataType type);
  Message &operator<<(DLDevice device);

  /// Appends a list of numbers as "[2, 3]", with "?" for -1 if asked for.
  Message &list(const int64_t *numbers, int32_t count, bool markDynamic);

  /// Appends an address as "0x10".
  Message &address(uint64_t value);

  const char *text() const { return buffer; }

private:
  static constexpr int32_t capacity = 1024;
  char buffer[capacity];
  int32_t length;
};

/// Makes `message` the calling thread's last error and returns `status`.
boostr_status fail(boostr_status status, const Message &message);
boostr_status fail(boostr_status status, const char *message);

/// The calling thread's last error.
const Message &lastFailure();

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_STATUS_H
