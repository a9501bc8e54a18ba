// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Stand-ins for compiled code and for the tensors of a host.

#ifndef BOOSTR_TEST_RUNTIME_FIXTURES_H
#define BOOSTR_TEST_RUNTIME_FIXTURES_H

#include "boostr/runtime/boostr_runtime.h"

#include "gtest/gtest.h"
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace boostr::runtime::test {

constexpr DLDataType f64{kDLFloat, 64, 1};
constexpr DLDataType f32{kDLFloat, 32, 1};
constexpr DLDataType f16{kDLFloat, 16, 1};
constexpr DLDataType bf16{kDLBfloat, 16, 1};
constexpr DLDataType i64{kDLInt, 64, 1};
constexpr DLDataType i8{kDLInt, 8, 1};
constexpr DLDataType u8{kDLUInt, 8, 1};
constexpr DLDataType boolean{6, 8, 1};

/// A compact tensor on the CPU, full of zero bytes, with a DLTensor that tests
/// may spoil.
class Tensor {
public:
  Tensor(DLDataType type, std::vector<int64_t> extents)
      : shape(std::move(extents)), strides(shape.size(), 1) {
    int64_t count = 1;
    for (size_t i = shape.size(); i-- > 0; count *= shape[i])
      strides[i] = count;
    // One more, so that tests may point at the second element.
    words.resize((count + 1) * type.bits / 8 / sizeof(double) + 1);
    dl.data = words.data();
    dl.device = {kDLCPU, 0};
    dl.ndim = static_cast<int>(shape.size());
    dl.dtype = type;
    dl.shape = shape.data();
    dl.strides = strides.data();
    dl.byte_offset = 0;
  }
  Tensor(const Tensor &) = delete;
  Tensor &operator=(const Tensor &) = delete;

  template <typename T> T *as() { return reinterpret_cast<T *>(words.data()); }

  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  DLTensor dl;

private:
  std::vector<double> words;
};

/// A description of a compiled function, valid and spoilable.
class Function {
public:
  struct Spec {
    const char *name;
    DLDataType type;
    std::vector<int64_t> shape;
  };

  Function(std::vector<Spec> inputs, std::vector<Spec> outputs,
           void (*packed)(void **))
      : inputSpecs(std::move(inputs)), outputSpecs(std::move(outputs)),
        in(convert(inputSpecs)), out(convert(outputSpecs)) {
    raw.abi_version = BOOSTR_ABI_VERSION;
    raw.name = "test_function";
    raw.num_inputs = static_cast<int32_t>(in.size());
    raw.num_outputs = static_cast<int32_t>(out.size());
    raw.inputs = in.data();
    raw.outputs = out.data();
    raw.packed = packed;
    raw.device_type = kDLCPU;
  }
  Function(const Function &) = delete;
  Function &operator=(const Function &) = delete;

  boostr_status call(const std::vector<const DLTensor *> &inputs,
                     const std::vector<const DLTensor *> &outputs,
                     boostr_context *context = nullptr) const {
    return boostr_call(context, &raw, inputs.data(),
                       static_cast<int32_t>(inputs.size()), outputs.data(),
                       static_cast<int32_t>(outputs.size()));
  }

private:
  static std::vector<boostr_tensor_spec>
  convert(const std::vector<Spec> &specs) {
    std::vector<boostr_tensor_spec> result;
    for (const Spec &spec : specs)
      result.push_back({spec.name, spec.type,
                        static_cast<int32_t>(spec.shape.size()),
                        spec.shape.data()});
    return result;
  }

  std::vector<Spec> inputSpecs, outputSpecs;

public:
  std::vector<boostr_tensor_spec> in, out;
  boostr_function raw{};
};

/// Runs `body` as compiled code. Where it calls the runtime, it must have no
/// local variable with a destructor, as compiled code has none.
inline boostr_status invoke(boostr_context *context,
                            const std::function<void()> &body) {
  static const boostr_function function = [] {
    boostr_function result{};
    result.abi_version = BOOSTR_ABI_VERSION;
    result.name = "invoke";
    result.num_inputs = 1;
    result.device_type = kDLCPU;
    result.packed = [](void **descriptors) {
      (*static_cast<const std::function<void()> *>(descriptors[0]))();
    };
    return result;
  }();
  void *descriptor = const_cast<std::function<void()> *>(&body);
  return boostr_invoke(context, &function, &descriptor);
}

/// A parallel loop with a body that can capture. The body is under the same
/// rule as that of invoke.
inline void parallelFor(int64_t count,
                        const std::function<void(int64_t)> &body) {
  boostr_parallel_for(
      [](void *context, int64_t i) {
        (*static_cast<const std::function<void(int64_t)> *>(context))(i);
      },
      const_cast<std::function<void(int64_t)> *>(&body), count);
}

struct DestroyContext {
  void operator()(boostr_context *context) const {
    boostr_context_destroy(context);
  }
};
using ContextPtr = std::unique_ptr<boostr_context, DestroyContext>;

inline ContextPtr makeContext(const boostr_context_options &options) {
  boostr_context *context = nullptr;
  EXPECT_EQ(boostr_context_create(&options, &context), BOOSTR_OK)
      << boostr_last_error();
  return ContextPtr(context);
}

inline ContextPtr makeContext(int32_t numThreads) {
  boostr_context_options options{};
  options.num_threads = numThreads;
  return makeContext(options);
}

/// An allocator that counts, checks what it gets back, and can run dry.
struct CountingAllocator {
  std::atomic<int64_t> numLive{0}, numAllocated{0}, bytesLive{0};
  std::atomic<int64_t> budget{INT64_MAX};
  std::atomic<size_t> lastAlignment{0}, lastBytes{0};

  boostr_allocator interface() {
    return {this,
            [](void *state, size_t bytes, size_t alignment) -> void * {
              auto &self = *static_cast<CountingAllocator *>(state);
              self.lastAlignment = alignment;
              self.lastBytes = bytes;
              if (self.budget.fetch_sub(1) <= 0)
                return nullptr;
              void *block = nullptr;
              if (posix_memalign(&block, alignment, bytes) != 0)
                return nullptr;
              ++self.numLive;
              ++self.numAllocated;
              self.bytesLive += static_cast<int64_t>(bytes);
              return block;
            },
            [](void *state, void *block, size_t bytes) {
              auto &self = *static_cast<CountingAllocator *>(state);
              --self.numLive;
              self.bytesLive -= static_cast<int64_t>(bytes);
              std::free(block);
            }};
  }
};

/// The status, and with it the message of a failure, for comparisons that show
/// both when they fail.
inline std::string outcome(boostr_status status) {
  if (status == BOOSTR_OK)
    return "ok";
  return std::string(boostr_status_name(status)) + ": " + boostr_last_error();
}

} // namespace boostr::runtime::test

#endif // BOOSTR_TEST_RUNTIME_FIXTURES_H
