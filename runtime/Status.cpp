// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/Status.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

using namespace boostr::runtime;

// Statuses cross the C boundary and generated code returns them as i32.
static_assert(sizeof(boostr_status) == 4);

static thread_local Message lastError;

//===----------------------------------------------------------------------===//
// Message
//===----------------------------------------------------------------------===//

Message &Message::operator<<(const char *more) {
  for (; *more != '\0'; ++more) {
    if (length == capacity - 1) {
      std::memcpy(buffer + capacity - 4, "...", 4);
      return *this;
    }
    // Names and environment variables may contain anything; a message is one
    // line.
    bool isControl = static_cast<unsigned char>(*more) < ' ';
    buffer[length++] = isControl ? '?' : *more;
  }
  buffer[length] = '\0';
  return *this;
}

Message &Message::operator<<(int64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof(digits), "%" PRId64, number);
  return *this << digits;
}

/// The letters of MLIR's element types, or null where it has none.
static const char *typePrefix(uint8_t code) {
  constexpr uint8_t codeOfBool = 6; // Not in the oldest dlpack.h we build with.
  switch (code) {
  case kDLInt:
    return "i";
  case kDLUInt:
    return "ui";
  case kDLFloat:
    return "f";
  case kDLBfloat:
    return "bf";
  case kDLComplex:
    return "complex";
  case codeOfBool:
    return "bool";
  default:
    return nullptr;
  }
}

Message &Message::operator<<(DLDataType type) {
  const char *prefix = typePrefix(type.code);
  if (!prefix)
    *this << "type code " << int64_t{type.code} << " of " << int64_t{type.bits}
          << " bits";
  else if (std::strcmp(prefix, "bool") == 0 && type.bits == 8)
    *this << prefix;
  else
    *this << prefix << int64_t{type.bits};
  if (type.lanes != 1)
    *this << " x " << int64_t{type.lanes} << " lanes";
  return *this;
}

Message &Message::operator<<(DLDevice device) {
  switch (static_cast<int>(device.device_type)) {
  case kDLCPU:
    return *this << "cpu";
  case kDLCUDA:
    *this << "cuda";
    break;
  case kDLCUDAHost:
    *this << "cuda-host";
    break;
  case kDLCUDAManaged:
    *this << "cuda-managed";
    break;
  case kDLROCM:
    *this << "rocm";
    break;
  default:
    *this << "device type " << int64_t{device.device_type};
  }
  return *this << ":" << int64_t{device.device_id};
}

Message &Message::list(const int64_t *numbers, int32_t count,
                       bool markDynamic) {
  *this << "[";
  for (int32_t i = 0; i < count; ++i) {
    if (i != 0)
      *this << ", ";
    if (markDynamic && numbers[i] == -1)
      *this << "?";
    else
      *this << numbers[i];
  }
  return *this << "]";
}

Message &Message::address(uint64_t value) {
  char digits[24];
  std::snprintf(digits, sizeof(digits), "0x%" PRIx64, value);
  return *this << digits;
}

//===----------------------------------------------------------------------===//
// Last error
//===----------------------------------------------------------------------===//

boostr_status boostr::runtime::fail(boostr_status status,
                                    const Message &message) {
  lastError = message;
  return status;
}

boostr_status boostr::runtime::fail(boostr_status status, const char *message) {
  return fail(status, Message{} << message);
}

const Message &boostr::runtime::lastFailure() { return lastError; }

const char *boostr_last_error(void) noexcept { return lastError.text(); }

const char *boostr_status_name(boostr_status status) noexcept {
  // An int, because a host may pass numbers that the enum lacks.
  switch (static_cast<int32_t>(status)) {
#define BOOSTR_STATUS_NAME(STATUS)                                             \
  case STATUS:                                                                 \
    return #STATUS
    BOOSTR_STATUS_NAME(BOOSTR_OK);
    BOOSTR_STATUS_NAME(BOOSTR_INVALID_ARGUMENT);
    BOOSTR_STATUS_NAME(BOOSTR_OUT_OF_MEMORY);
    BOOSTR_STATUS_NAME(BOOSTR_UNAVAILABLE);
    BOOSTR_STATUS_NAME(BOOSTR_UNSUPPORTED);
    BOOSTR_STATUS_NAME(BOOSTR_CANCELLED);
    BOOSTR_STATUS_NAME(BOOSTR_INTERNAL);
#undef BOOSTR_STATUS_NAME
  default:
    return "BOOSTR_STATUS_UNKNOWN";
  }
}

int32_t boostr_abi_version(void) noexcept { return BOOSTR_ABI_VERSION; }
