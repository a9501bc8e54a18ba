// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/Validate.h"

#include "boostr/runtime/CpuFeatures.h"

#include "boostr/runtime/Status.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>

using namespace boostr::runtime;

//===----------------------------------------------------------------------===//
// Wording
//===----------------------------------------------------------------------===//

/// "argument 1 'weight'", "output 0".
static Message &operator<<(Message &message, const Argument &argument) {
  message << (argument.isOutput ? "output " : "argument ")
          << int64_t{argument.index};
  if (argument.spec->name && *argument.spec->name)
    message << " '" << argument.spec->name << "'";
  return message;
}

/// The beginning of a message about an argument.
static Message about(const Argument &argument) {
  Message message{};
  message << argument << ": expected ";
  return message;
}

static boostr_status refuse(const Message &message) {
  return fail(BOOSTR_INVALID_ARGUMENT, message);
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// The version, before which nothing else may be read.
static boostr_status checkVersion(const boostr_function *function) {
  if (!function)
    return fail(BOOSTR_INVALID_ARGUMENT,
                "function: expected a compiled function, got a null pointer");
  int32_t version = function->abi_version;
  if (version / 1000 != BOOSTR_ABI_MAJOR || version > BOOSTR_ABI_VERSION)
    return fail(BOOSTR_UNSUPPORTED,
                Message{} << "function: expected one compiled for version "
                          << int64_t{1000} * BOOSTR_ABI_MAJOR << " to "
                          << int64_t{BOOSTR_ABI_VERSION}
                          << " of the runtime's interface, got "
                          << int64_t{version});
  return BOOSTR_OK;
}

static uint64_t cpuFeatures(const boostr_function &function) {
  bool hasField = function.abi_version % 1000 >= 2;
  return hasField ? function.cpu_features : 0;
}

/// `function` becomes the variant that needs most of what this CPU has.
static boostr_status selectVariant(const boostr_function *&function) {
  bool hasField = function->abi_version % 1000 >= 3;
  if (!hasField || !function->variants)
    return BOOSTR_OK;
  const boostr_function *best = nullptr;
  int mostFeatures = -1;
  Message lacks{};
  for (auto *next = function->variants; *next; ++next) {
    if (boostr_status status = checkVersion(*next))
      return status;
    uint64_t needed = cpuFeatures(**next);
    if (uint64_t missing = findMissingCpuFeatures(needed)) {
      const char *name = cpuFeatureName(missing);
      lacks << (*lacks.text() ? ", '" : "'") << (name ? name : "?") << "'";
    } else if (__builtin_popcountll(needed) > mostFeatures) {
      best = *next;
      mostFeatures = __builtin_popcountll(needed);
    }
  }
  if (!best)
    return fail(BOOSTR_UNSUPPORTED,
                Message{} << "function '"
                          << (function->name ? function->name : "")
                          << "': expected one of the CPUs for which it was "
                             "compiled; this one has not, or the system does "
                             "not permit, "
                          << lacks.text());
  function = best;
  return BOOSTR_OK;
}

//===----------------------------------------------------------------------===//
// Copies of this library
//===----------------------------------------------------------------------===//

/// Not exported, and so this copy's own whatever others are in the process.
static const char inThisCopy = 0;

const void *boostr_runtime_copy(void) noexcept { return &inThisCopy; }

/// The file of the copy that has `address`.
static const char *fileOf(const void *address) {
  Dl_info info;
  return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "?";
}

/// Where two copies are in one process, the loader may give compiled code
/// another one than the host calls. That one has no invocation: it would start
/// no kernels, and take memory from elsewhere.
static boostr_status checkRuntime(const boostr_function &function) {
  bool hasField = function.abi_version % 1000 >= 5;
  if (!hasField || !function.runtime)
    return BOOSTR_OK;
  const void *copy = function.runtime();
  if (copy == &inThisCopy)
    return BOOSTR_OK;
  return fail(BOOSTR_UNSUPPORTED,
              Message{} << "function '" << (function.name ? function.name : "")
                        << "': expected its code to call the copy of the "
                           "runtime that was asked to run it, '"
                        << fileOf(&inThisCopy) << "', got another, '"
                        << fileOf(copy)
                        << "'; a process needs to load one alone");
}

boostr_status boostr::runtime::checkFunction(const boostr_function *&function) {
  if (boostr_status status = checkVersion(function))
    return status;
  if (boostr_status status = selectVariant(function))
    return status;
  if (!function->packed)
    return fail(BOOSTR_INTERNAL,
                "function: its description has no code ('packed' is null)");
  if (boostr_status status = checkRuntime(*function))
    return status;
  DLDeviceType device = deviceType(*function);
  if (device != kDLCPU && device != kDLCUDA)
    return fail(BOOSTR_UNSUPPORTED,
                Message{} << "function: expected one for cpu or cuda, got one "
                             "for device type "
                          << int64_t{device});
  return checkCpuFeatures(cpuFeatures(*function));
}

DLDeviceType boostr::runtime::deviceType(const boostr_function &function) {
  bool hasField = function.abi_version % 1000 >= 1;
  return hasField ? static_cast<DLDeviceType>(function.device_type) : kDLCPU;
}

boostr_status boostr::runtime::checkIsForCuda(const boostr_function &function) {
  if (deviceType(function) == kDLCUDA)
    return BOOSTR_OK;
  return fail(BOOSTR_INVALID_ARGUMENT,
              Message{} << "function '" << (function.name ? function.name : "")
                        << "': expected one for cuda, got one for cpu");
}

static bool isValid(const boostr_tensor_spec &spec) {
  return spec.rank >= 0 && spec.rank <= BOOSTR_MAX_RANK &&
         (spec.rank == 0 || spec.shape) && spec.dtype.lanes == 1 &&
         spec.dtype.bits > 0 && spec.dtype.bits % 8 == 0;
}

static bool areValid(const boostr_tensor_spec *specs, int32_t count) {
  if (count < 0 || (count > 0 && !specs))
    return false;
  for (int32_t i = 0; i < count; ++i)
    if (!isValid(specs[i]))
      return false;
  return true;
}

boostr_status
boostr::runtime::checkDescription(const boostr_function &function) {
  const char *wrong = nullptr;
  if (!areValid(function.inputs, function.num_inputs))
    wrong = "inputs";
  else if (!areValid(function.outputs, function.num_outputs))
    wrong = "outputs";
  else if (function.num_constraints < 0 ||
           (function.num_constraints > 0 && !function.constraints))
    wrong = "constraints";
  if (!wrong)
    return BOOSTR_OK;
  return fail(BOOSTR_INTERNAL, Message{} << "function '"
                                         << (function.name ? function.name : "")
                                         << "': its description of its "
                                         << wrong << " is not valid");
}

//===----------------------------------------------------------------------===//
// Counts and types
//===----------------------------------------------------------------------===//

boostr_status boostr::runtime::checkCount(const ArgumentList &arguments,
                                          int32_t count) {
  const char *kind = arguments.isOutput ? "outputs" : "inputs";
  if (count != arguments.count)
    return refuse(Message{} << kind << ": expected " << int64_t{arguments.count}
                            << " tensors, got " << int64_t{count});
  if (count > 0 && !arguments.tensors)
    return refuse(Message{} << kind << ": expected an array of "
                            << int64_t{count}
                            << " tensors, got a null pointer");
  return BOOSTR_OK;
}

static int64_t elementBytes(DLDataType type) { return type.bits / 8; }

static bool hasNoElements(const DLTensor &tensor) {
  for (int32_t i = 0; i < tensor.ndim; ++i)
    if (tensor.shape[i] == 0)
      return true;
  return false;
}

/// The size of a tensor of whole-byte elements and extents >= 0, without gaps.
/// False if that is more than an object can have.
static bool computeBytes(const DLTensor &tensor, int64_t &bytes) {
  bytes = 0;
  if (hasNoElements(tensor))
    return true;
  int64_t product = elementBytes(tensor.dtype);
  for (int32_t i = 0; i < tensor.ndim; ++i)
    if (__builtin_mul_overflow(product, tensor.shape[i], &product))
      return false;
  bytes = product;
  return true;
}

static boostr_status checkElementType(const Argument &argument) {
  DLDataType expected = argument.spec->dtype;
  DLDataType found = argument.tensor->dtype;
  if (found.code == expected.code && found.bits == expected.bits &&
      found.lanes == expected.lanes)
    return BOOSTR_OK;
  return refuse(about(argument)
                << "element type " << expected << ", got " << found);
}

static boostr_status checkRank(const Argument &argument) {
  const DLTensor &tensor = *argument.tensor;
  int32_t expected = argument.spec->rank;
  if (tensor.ndim != expected) {
    Message message = about(argument);
    message << "rank " << int64_t{expected} << ", got rank "
            << int64_t{tensor.ndim};
    bool isPrintable = tensor.ndim > 0 && tensor.ndim <= 2 * BOOSTR_MAX_RANK;
    if (isPrintable && tensor.shape)
      (message << " with shape ").list(tensor.shape, tensor.ndim, false);
    return refuse(message);
  }
  if (expected > 0 && !tensor.shape)
    return refuse(about(argument)
                  << int64_t{expected} << " extents, got a null pointer");
  return BOOSTR_OK;
}

boostr_status boostr::runtime::checkType(const Argument &argument) {
  if (!argument.tensor)
    return refuse(about(argument) << "a tensor, got a null pointer");
  if (boostr_status status = checkElementType(argument))
    return status;
  if (boostr_status status = checkRank(argument))
    return status;
  const DLTensor &tensor = *argument.tensor;
  for (int32_t i = 0; i < tensor.ndim; ++i)
    if (tensor.shape[i] < 0)
      return refuse(
          (about(argument) << "extents that are not negative, got shape ")
              .list(tensor.shape, tensor.ndim, false));
  int64_t bytes;
  if (!computeBytes(tensor, bytes))
    return refuse((about(argument) << "less than 2^63 bytes, got shape ")
                      .list(tensor.shape, tensor.ndim, false));
  return BOOSTR_OK;
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// Whether the extents are the expected ones, where -1 stands for any.
static boostr_status checkShape(const Argument &argument,
                                const int64_t *expected) {
  const DLTensor &tensor = *argument.tensor;
  bool agrees = true;
  for (int32_t i = 0; i < tensor.ndim; ++i)
    agrees &= expected[i] == -1 || expected[i] == tensor.shape[i];
  if (agrees)
    return BOOSTR_OK;
  Message message = about(argument);
  (message << "shape ").list(expected, tensor.ndim, /*markDynamic=*/true);
  (message << ", got ").list(tensor.shape, tensor.ndim, false);
  return refuse(message);
}

boostr_status boostr::runtime::checkStaticExtents(const Argument &argument) {
  return checkShape(argument, argument.spec->shape);
}

boostr_status boostr::runtime::checkExtents(const Argument &argument,
                                            const int64_t *expected) {
  return checkShape(argument, expected);
}

static boostr_status refuseConstraint(const boostr_function &function,
                                      const ArgumentList &inputs,
                                      int64_t index) {
  const char *constraint = function.constraints[index];
  Message message{};
  message << "expected that " << (constraint ? constraint : "the shapes agree")
          << ", got";
  for (int32_t i = 0; i < inputs.count; ++i) {
    const DLTensor &tensor = *inputs[i].tensor;
    (message << (i == 0 ? " " : ", ") << inputs[i] << " ")
        .list(tensor.shape, tensor.ndim, false);
  }
  return refuse(message);
}

/// For a function whose output extents are all static.
static boostr_status copyStaticExtents(const boostr_function &function,
                                       int64_t *outputExtents) {
  for (int32_t i = 0; i < function.num_outputs; ++i)
    for (int32_t j = 0; j < function.outputs[i].rank; ++j) {
      if (function.outputs[i].shape[j] < 0)
        return fail(BOOSTR_INTERNAL,
                    "function: its description lacks 'shapes', which dynamic "
                    "outputs need");
      *outputExtents++ = function.outputs[i].shape[j];
    }
  return BOOSTR_OK;
}

/// That extents computed from the inputs can be those of tensors, as those of
/// a slice need not be.
static boostr_status checkComputedExtents(const boostr_function &function,
                                          const int64_t *outputExtents) {
  for (int32_t i = 0; i < function.num_outputs; ++i) {
    const boostr_tensor_spec &spec = function.outputs[i];
    for (int32_t j = 0; j < spec.rank; ++j)
      if (outputExtents[j] < 0)
        return refuse((about({nullptr, &spec, i, /*isOutput=*/true})
                       << "extents that are not negative, got from these "
                          "inputs shape ")
                          .list(outputExtents, spec.rank, false));
    outputExtents += spec.rank;
  }
  return BOOSTR_OK;
}

boostr_status boostr::runtime::computeOutputExtents(
    const boostr_function &function, const ArgumentList &inputs,
    const int64_t *inputExtents, int64_t *outputExtents) {
  if (!function.shapes)
    return copyStaticExtents(function, outputExtents);
  int64_t violated = function.shapes(inputExtents, outputExtents);
  if (violated == 0)
    return checkComputedExtents(function, outputExtents);
  if (violated < 0 || violated > function.num_constraints)
    return fail(BOOSTR_INTERNAL,
                Message{} << "function: expected the index of one of its "
                          << int64_t{function.num_constraints}
                          << " constraints from 'shapes', got "
                          << violated - 1);
  return refuseConstraint(function, inputs, violated - 1);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// The one place that knows on which devices a function can run.
/// Whether code for one type of device can use memory of another.
static bool canUse(DLDeviceType code, DLDevice memory) {
  if (code != kDLCUDA)
    return memory.device_type == code;
  return memory.device_id >= 0 && (memory.device_type == kDLCUDA ||
                                   memory.device_type == kDLCUDAManaged);
}

static boostr_status checkDevice(const Argument &argument, DLDevice &expected) {
  DLDevice found = argument.tensor->device;
  if (canUse(expected.device_type, found)) {
    if (expected.device_id < 0)
      expected.device_id = found.device_id;
    // There is one CPU, whatever its number.
    if (expected.device_type == kDLCPU || found.device_id == expected.device_id)
      return BOOSTR_OK;
  }
  Message message = about(argument);
  message << "device ";
  if (expected.device_id < 0)
    message << "cuda";
  else
    message << expected;
  return refuse(message << ", got " << found);
}

static boostr_status checkStrides(const Argument &argument) {
  const DLTensor &tensor = *argument.tensor;
  if (!tensor.strides || hasNoElements(tensor))
    return BOOSTR_OK;
  int64_t compact[BOOSTR_MAX_RANK];
  bool agrees = true;
  int64_t next = 1;
  for (int32_t i = tensor.ndim; i-- > 0;) {
    compact[i] = next;
    agrees &= tensor.shape[i] == 1 || tensor.strides[i] == next;
    next *= tensor.shape[i];
  }
  if (agrees)
    return BOOSTR_OK;
  Message message = about(argument);
  (message << "compact row-major strides ").list(compact, tensor.ndim, false);
  (message << ", got ").list(tensor.strides, tensor.ndim, false);
  return refuse(message);
}

/// As a number, since the sum need not be a pointer to anything.
static uint64_t address(const DLTensor &tensor) {
  return reinterpret_cast<uintptr_t>(tensor.data) + tensor.byte_offset;
}

static boostr_status checkAddress(const Argument &argument,
                                  DLDeviceType device) {
  const DLTensor &tensor = *argument.tensor;
  if (hasNoElements(tensor))
    return BOOSTR_OK;
  if (!tensor.data)
    return refuse(about(argument) << "data, got a null pointer");
  int64_t bytes;
  uint64_t end;
  if (!computeBytes(tensor, bytes) || address(tensor) < tensor.byte_offset ||
      __builtin_add_overflow(address(tensor), bytes, &end))
    return refuse((about(argument) << "data inside the address space, got "
                                      "byte_offset ")
                      .address(tensor.byte_offset));
  // Kernels read vectors, and tensor maps need this.
  constexpr int64_t alignmentOnDevices = 16;
  int64_t alignment = elementBytes(tensor.dtype);
  if (device == kDLCUDA)
    alignment = std::max(alignment, alignmentOnDevices);
  if (address(tensor) % alignment != 0)
    return refuse((about(argument)
                   << "data aligned to " << alignment << " bytes, got address ")
                      .address(address(tensor)));
  return BOOSTR_OK;
}

boostr_status boostr::runtime::checkMemory(const Argument &argument,
                                           DLDevice &device) {
  if (boostr_status status = checkDevice(argument, device))
    return status;
  if (boostr_status status = checkStrides(argument))
    return status;
  return checkAddress(argument, device.device_type);
}

const char *boostr::runtime::inputLayout(const boostr_function &function,
                                         int32_t index) {
  bool hasField = function.abi_version % 1000 >= 3;
  return hasField && function.input_layouts ? function.input_layouts[index]
                                            : nullptr;
}

boostr_status boostr::runtime::checkLayout(const Argument &argument,
                                           const char *layout) {
  const DLTensor *tensor = argument.tensor;
  if (!layout || !tensor || !tensor->data || !tensor->shape ||
      tensor->ndim != 1 || tensor->device.device_type != kDLCPU ||
      elementBytes(tensor->dtype) != 1)
    return BOOSTR_OK;
  // Of what is there: the sizes are compared later.
  static constexpr char magic[] = {'B', 'O', 'O', 'S', 'T', 'R', 'P', 'K'};
  constexpr int64_t fixedBytes = 16;
  const char *bytes = static_cast<const char *>(firstElement(*tensor));
  int64_t available = tensor->shape[0] - fixedBytes;
  const char *found = bytes + fixedBytes;
  bool isPacked = available > 0 && !std::memcmp(bytes, magic, sizeof(magic)) &&
                  std::memchr(found, 0, available);
  if (isPacked && !std::strcmp(found, layout))
    return BOOSTR_OK;
  Message message = about(argument);
  message << "a weight packed as " << layout << ", got ";
  if (isPacked)
    message << "one packed as " << found;
  else
    message << "bytes that are no packed weight";
  return refuse(message);
}

static bool overlap(const DLTensor &a, const DLTensor &b) {
  int64_t bytesOfA, bytesOfB;
  computeBytes(a, bytesOfA);
  computeBytes(b, bytesOfB);
  return bytesOfA > 0 && bytesOfB > 0 && address(a) < address(b) + bytesOfB &&
         address(b) < address(a) + bytesOfA;
}

static boostr_status checkDisjoint(const Argument &output,
                                   const Argument &other) {
  if (!overlap(*output.tensor, *other.tensor))
    return BOOSTR_OK;
  return refuse(about(output)
                << "memory of its own, got memory shared with " << other);
}

boostr_status boostr::runtime::checkOverlap(const ArgumentList &inputs,
                                            const ArgumentList &outputs) {
  for (int32_t i = 0; i < outputs.count; ++i) {
    for (int32_t j = 0; j < inputs.count; ++j)
      if (boostr_status status = checkDisjoint(outputs[i], inputs[j]))
        return status;
    for (int32_t j = 0; j < i; ++j)
      if (boostr_status status = checkDisjoint(outputs[i], outputs[j]))
        return status;
  }
  return BOOSTR_OK;
}

void *boostr::runtime::firstElement(const DLTensor &tensor) {
  return reinterpret_cast<void *>(static_cast<uintptr_t>(address(tensor)));
}
