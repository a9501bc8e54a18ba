// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// CUDA functions on a real device and, where there is no driver, without one.
// The kernels are PTX written by hand.

#include "Fixtures.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <dlfcn.h>

using namespace boostr::runtime::test;

//===----------------------------------------------------------------------===//
// Without a driver
//===----------------------------------------------------------------------===//

static int32_t numDevices() {
  int32_t count = 0;
  return boostr_cuda_device_count(&count) == BOOSTR_OK ? count : 0;
}

TEST(CudaDriver, not_there) {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL))
    GTEST_SKIP() << "there is a driver";
  int32_t count = -1;
  std::string result = outcome(boostr_cuda_device_count(&count));
  EXPECT_EQ(result.find("BOOSTR_UNAVAILABLE: cannot open the CUDA driver: "
                        "libcuda.so.1: "),
            0u)
      << result;
  EXPECT_EQ(count, -1);
  void *block = nullptr;
  EXPECT_EQ(outcome(boostr_cuda_allocate(0, 1, &block)), result);
  Function function({}, {}, [](void **) { FAIL(); });
  function.raw.device_type = kDLCUDA;
  EXPECT_EQ(outcome(function.call({}, {})), result);
  EXPECT_EQ(outcome(invoke(nullptr, [] {})), "ok");
}

//===----------------------------------------------------------------------===//
// On a device
//===----------------------------------------------------------------------===//

// y[i] = a * x[i], and y[i] = x[i] + z[i], for i < n.
static const char ptx[] = R"(.version 6.5
.target sm_52
.address_size 64
.visible .entry scale(.param .u64 x, .param .u64 y, .param .f32 a,
                      .param .u64 n)
{
  .reg .pred %p;
  .reg .f32 %f<3>;
  .reg .b32 %r<4>;
  .reg .b64 %d<8>;
  ld.param.u64 %d0, [x];
  ld.param.u64 %d1, [y];
  ld.param.f32 %f0, [a];
  ld.param.u64 %d2, [n];
  mov.u32 %r0, %ctaid.x;
  mov.u32 %r1, %ntid.x;
  mov.u32 %r2, %tid.x;
  mad.lo.s32 %r3, %r0, %r1, %r2;
  cvt.u64.u32 %d3, %r3;
  setp.ge.u64 %p, %d3, %d2;
  @%p bra done;
  shl.b64 %d4, %d3, 2;
  add.s64 %d5, %d0, %d4;
  add.s64 %d6, %d1, %d4;
  ld.global.f32 %f1, [%d5];
  mul.f32 %f2, %f0, %f1;
  st.global.f32 [%d6], %f2;
done:
  ret;
}
.visible .entry add(.param .u64 x, .param .u64 z, .param .u64 y, .param .u64 n)
{
  .reg .pred %p;
  .reg .f32 %f<3>;
  .reg .b32 %r<4>;
  .reg .b64 %d<9>;
  ld.param.u64 %d0, [x];
  ld.param.u64 %d7, [z];
  ld.param.u64 %d1, [y];
  ld.param.u64 %d2, [n];
  mov.u32 %r0, %ctaid.x;
  mov.u32 %r1, %ntid.x;
  mov.u32 %r2, %tid.x;
  mad.lo.s32 %r3, %r0, %r1, %r2;
  cvt.u64.u32 %d3, %r3;
  setp.ge.u64 %p, %d3, %d2;
  @%p bra done;
  shl.b64 %d4, %d3, 2;
  add.s64 %d5, %d0, %d4;
  add.s64 %d6, %d1, %d4;
  add.s64 %d8, %d7, %d4;
  ld.global.f32 %f0, [%d5];
  ld.global.f32 %f1, [%d8];
  add.f32 %f2, %f0, %f1;
  st.global.f32 [%d6], %f2;
done:
  ret;
}
)";

namespace {
/// y = 2 * x + 3 * x, by way of two blocks of its own; skipped without a
/// device.
class CudaDevice : public testing::Test {
protected:
  void SetUp() override {
    if (numDevices() == 0)
      GTEST_SKIP() << boostr_last_error();
    for (Tensor *tensor : {&x, &y}) {
      ASSERT_EQ(outcome(boostr_cuda_allocate(0, bytes, &tensor->dl.data)),
                "ok");
      tensor->dl.device = {kDLCUDA, 0};
    }
    std::vector<float> values(extent);
    for (int64_t i = 0; i < extent; ++i)
      values[i] = static_cast<float>(i);
    ASSERT_EQ(
        outcome(boostr_cuda_copy(0, nullptr, x.dl.data, values.data(), bytes)),
        "ok");
    std::fill(values.begin(), values.end(), 0.0f);
    ASSERT_EQ(
        outcome(boostr_cuda_copy(0, nullptr, y.dl.data, values.data(), bytes)),
        "ok");
    function.raw.device_type = kDLCUDA;
    context = makeContext(1);
  }
  void TearDown() override {
    if (!context)
      return;
    EXPECT_EQ(outcome(boostr_cuda_synchronize(0, nullptr)), "ok");
    context.reset();
    for (Tensor *tensor : {&x, &y})
      EXPECT_EQ(outcome(boostr_cuda_release(0, tensor->dl.data)), "ok");
  }

  static void code(void **descriptors) {
    static const boostr_cuda_image image = {"", ptx, sizeof(ptx) - 1};
    static const char *const kernels[] = {"scale", "add"};
    static const boostr_cuda_module module = {{1, 2, 3}, 1, &image, 2, kernels};
    auto *in = static_cast<boostr_memref_1d *>(descriptors[0]);
    auto *out = static_cast<boostr_memref_1d *>(descriptors[1]);
    int64_t count = in->sizes[0];
    boostr_cuda_grid grid{{static_cast<uint32_t>((count + 127) / 128), 1, 1},
                          {128, 1, 1},
                          {0, 0, 0},
                          0};
    void *blocks[2];
    for (int i = 0; i < 2; ++i) {
      blocks[i] = boostr_allocate(count * sizeof(float), 0);
      float factor = static_cast<float>(i + 2);
      void *params[] = {&in->aligned, &blocks[i], &factor, &count};
      boostr_cuda_launch(&module, 0, &grid, params);
    }
    void *params[] = {&blocks[0], &blocks[1], &out->aligned, &count};
    boostr_cuda_launch(&module, 1, &grid, params);
    boostr_release(blocks[0]);
    boostr_release(blocks[1]);
  }

  void captureCall(boostr_context *captured);

  std::vector<float> result() {
    std::vector<float> values(extent);
    EXPECT_EQ(
        outcome(boostr_cuda_copy(0, nullptr, values.data(), y.dl.data, bytes)),
        "ok");
    return values;
  }

  static constexpr int64_t extent = 1000;
  static constexpr size_t bytes = extent * sizeof(float);
  Tensor x{f32, {extent}}, y{f32, {extent}};
  Function function{{{"x", f32, {extent}}}, {{"y", f32, {extent}}}, code};
  ContextPtr context;
};
} // namespace

TEST_F(CudaDevice, call) {
  ASSERT_EQ(outcome(function.call({&x.dl}, {&y.dl}, context.get())), "ok");
  std::vector<float> values = result();
  for (int64_t i = 0; i < extent; ++i)
    ASSERT_EQ(values[i], static_cast<float>(5 * i));
}

TEST_F(CudaDevice, negative_launch_can_be_followed) {
  Function odd({}, {}, [](void **) {
    boostr_cuda_image image = {"", ptx, sizeof(ptx) - 1};
    const char *const kernels[] = {"nobody"};
    boostr_cuda_module module = {{9}, 1, &image, 1, kernels};
    boostr_cuda_grid grid{{1, 1, 1}, {1, 1, 1}, {0, 0, 0}, 0};
    if (boostr_cuda_multiprocessors() > 0)
      boostr_cuda_launch(&module, 0, &grid, nullptr);
  });
  odd.raw.device_type = kDLCUDA;
  std::string message = outcome(odd.call({}, {}, context.get()));
  EXPECT_EQ(message, "BOOSTR_INTERNAL: cuModuleGetFunction: "
                     "CUDA_ERROR_NOT_FOUND (named symbol not found), for "
                     "kernel 'nobody'");
  EXPECT_EQ(outcome(function.call({&x.dl}, {&y.dl}, context.get())), "ok");
}

namespace {
/// What a host needs of the driver to capture a graph.
struct GraphApi {
  using Handle = struct Opaque *;

  template <typename Function> static Function *find(const char *name) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    auto *function = reinterpret_cast<Function *>(dlsym(library, name));
    EXPECT_NE(function, nullptr) << name;
    return function;
  }

  int (*retainPrimary)(Handle *, int) =
      find<int(Handle *, int)>("cuDevicePrimaryCtxRetain");
  int (*setCurrent)(Handle) = find<int(Handle)>("cuCtxSetCurrent");
  int (*createStream)(Handle *, unsigned) =
      find<int(Handle *, unsigned)>("cuStreamCreate");
  int (*beginCapture)(Handle,
                      int) = find<int(Handle, int)>("cuStreamBeginCapture_v2");
  int (*endCapture)(Handle, Handle *) =
      find<int(Handle, Handle *)>("cuStreamEndCapture");
  int (*instantiate)(Handle *, Handle, unsigned long long) =
      find<int(Handle *, Handle, unsigned long long)>(
          "cuGraphInstantiateWithFlags");
  int (*launch)(Handle, Handle) = find<int(Handle, Handle)>("cuGraphLaunch");
  int (*allocate)(unsigned long long *, size_t, Handle) =
      find<int(unsigned long long *, size_t, Handle)>("cuMemAllocAsync");
  int (*release)(unsigned long long, Handle) =
      find<int(unsigned long long, Handle)>("cuMemFreeAsync");
};

/// An allocator of the host's: the driver's, in the order of the stream.
struct DeviceAccount {
  GraphApi cuda;
  int numAllocated = 0, numLive = 0;

  /// A context that uses it.
  ContextPtr makeContext() {
    boostr_cuda_allocator allocator = interface();
    boostr_context_options options{};
    options.size = sizeof(options);
    options.num_threads = 1;
    options.cuda_allocator = &allocator;
    return boostr::runtime::test::makeContext(options);
  }

private:
  boostr_cuda_allocator interface() {
    return {this, "account",
            [](void *state, size_t bytes, size_t alignment, int32_t device,
               void *stream, void **block) {
              auto &self = *static_cast<DeviceAccount *>(state);
              EXPECT_EQ(alignment, 256u);
              EXPECT_EQ(device, 0);
              unsigned long long address = 0;
              if (self.cuda.allocate(&address, bytes,
                                     static_cast<GraphApi::Handle>(stream)))
                return BOOSTR_OUT_OF_MEMORY;
              ++self.numAllocated;
              ++self.numLive;
              *block = reinterpret_cast<void *>(address);
              return BOOSTR_OK;
            },
            [](void *state, void *block, size_t, int32_t, void *stream) {
              auto &self = *static_cast<DeviceAccount *>(state);
              EXPECT_EQ(
                  self.cuda.release(reinterpret_cast<uintptr_t>(block),
                                    static_cast<GraphApi::Handle>(stream)),
                  0);
              --self.numLive;
            }};
  }
};
} // namespace

TEST_F(CudaDevice, host_allocator) {
  DeviceAccount account;
  ContextPtr own = account.makeContext();
  ASSERT_EQ(outcome(function.call({&x.dl}, {&y.dl}, own.get())), "ok");
  EXPECT_EQ(account.numAllocated, 2);
  EXPECT_EQ(account.numLive, 0);
  EXPECT_EQ(result()[7], 35);
}

/// Captures a call on a context, launches the graph three times.
void CudaDevice::captureCall(boostr_context *captured) {
  GraphApi cuda;
  GraphApi::Handle primary, stream, graph, executable;
  ASSERT_EQ(cuda.retainPrimary(&primary, 0), 0);
  ASSERT_EQ(cuda.setCurrent(primary), 0);
  constexpr unsigned nonBlocking = 1;
  ASSERT_EQ(cuda.createStream(&stream, nonBlocking), 0);
  constexpr int globalMode = 0; // The strictest.
  ASSERT_EQ(cuda.beginCapture(stream, globalMode), 0);
  const DLTensor *inputs[] = {&x.dl}, *outputs[] = {&y.dl};
  EXPECT_EQ(outcome(boostr_call_on_stream(captured, stream, &function.raw,
                                          inputs, 1, outputs, 1)),
            "ok");
  ASSERT_EQ(cuda.endCapture(stream, &graph), 0);
  ASSERT_EQ(cuda.instantiate(&executable, graph, 0), 0);
  EXPECT_EQ(result()[7], 0);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(cuda.launch(executable, stream), 0);
  ASSERT_EQ(outcome(boostr_cuda_synchronize(0, stream)), "ok");
  EXPECT_EQ(result()[7], 35);
  ASSERT_EQ(cuda.setCurrent(nullptr), 0);
}

TEST_F(CudaDevice, first_call_within_capture) { captureCall(context.get()); }

TEST_F(CudaDevice, host_allocator_within_capture) {
  DeviceAccount account;
  ContextPtr own = account.makeContext();
  captureCall(own.get());
  EXPECT_EQ(account.numAllocated, 2);
  EXPECT_EQ(account.numLive, 0);
}

TEST_F(CudaDevice, host_time) {
  auto call = [&] { return function.call({&x.dl}, {&y.dl}, context.get()); };
  double best = 1;
  for (int i = 0; i < 100; ++i) {
    // So that the queue is never full.
    ASSERT_EQ(boostr_cuda_synchronize(0, nullptr), BOOSTR_OK);
    auto start = std::chrono::steady_clock::now();
    ASSERT_EQ(call(), BOOSTR_OK);
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count());
  }
  std::printf("a call with 3 launches and 2 allocations: %.1f us\n",
              best * 1e6);
  RecordProperty("microseconds", static_cast<int>(best * 1e6));
}
