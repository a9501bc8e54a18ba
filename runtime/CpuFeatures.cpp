// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/CpuFeatures.h"

#include "boostr/runtime/Status.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace boostr::runtime;

namespace {
struct Feature {
  int bit;
  const char *name;
};
} // namespace

static constexpr Feature features[] = {
#define BOOSTR_CPU_FEATURE(bit, name) {bit, name},
#define BOOSTR_CPU_FEATURE_AMX(bit, name) {bit, name},
#include "boostr/runtime/CpuFeatures.def"
};

static constexpr uint64_t amxFeatures = 0
#define BOOSTR_CPU_FEATURE_AMX(bit, name) | uint64_t{1} << bit
#include "boostr/runtime/CpuFeatures.def"
    ;

#if defined(__x86_64__)
static uint64_t detectFeatures() {
  __builtin_cpu_init();
  uint64_t found = 0;
#define BOOSTR_CPU_FEATURE(bit, name)                                          \
  if (__builtin_cpu_supports(name))                                            \
    found |= uint64_t{1} << bit;
#include "boostr/runtime/CpuFeatures.def"
  return found;
}

/// AMX, if the CPU has it and Linux lets this process use it: its registers are
/// large, so a process has to ask.
static uint64_t requestAmx() {
  unsigned eax, ebx, ecx, edx;
  constexpr unsigned amxBf16 = 1u << 22, amxTile = 1u << 24;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) ||
      (edx & (amxBf16 | amxTile)) != (amxBf16 | amxTile))
    return 0;
#if defined(SYS_arch_prctl)
  constexpr int requestPermission = 0x1023, tileData = 18;
  if (syscall(SYS_arch_prctl, requestPermission, tileData) == 0)
    return amxFeatures;
#endif
  return 0;
}
#else
static uint64_t detectFeatures() { return 0; }
static uint64_t requestAmx() { return 0; }
#endif

uint64_t boostr::runtime::findMissingCpuFeatures(uint64_t needed) {
  static const uint64_t found = detectFeatures();
  uint64_t missing = needed & ~found;
  if (missing & amxFeatures) {
    static const uint64_t permitted = requestAmx();
    missing &= ~permitted;
  }
  return missing;
}

const char *boostr::runtime::cpuFeatureName(uint64_t which) {
  for (const Feature &feature : features)
    if (which >> feature.bit & 1)
      return feature.name;
  return nullptr;
}

boostr_status boostr::runtime::checkCpuFeatures(uint64_t needed) {
  uint64_t missing = findMissingCpuFeatures(needed);
  if (missing == 0)
    return BOOSTR_OK;
  if (const char *name = cpuFeatureName(missing))
    return fail(BOOSTR_UNSUPPORTED,
                Message{} << "function: expected a CPU with '" << name
                          << "', for which it was compiled; this one has it "
                             "not, or the system does not permit it");
  return fail(BOOSTR_UNSUPPORTED,
              "function: compiled for a CPU that this runtime does not know");
}
