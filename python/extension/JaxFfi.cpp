// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "JaxFfi.h"
#include "Function.h"
#include "XlaMemory.h"
#include "XlaThreads.h"
#include "boostr/runtime/boostr_runtime.h"
#include "xla/ffi/api/ffi.h"
#include <array>
#include <map>
#include <mutex>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <shared_mutex>
#include <string>
#include <string_view>

namespace nb = nanobind;
namespace ffi = xla::ffi;
using namespace nb::literals;
using namespace boostr_python;

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {

/// Compiled functions by the name that an executable has for them. The name
/// says all that the function depends on, so an executable that comes from
/// another process, out of JAX's compilation cache or a file, finds its
/// functions here like one that was made by this process.
class Functions {
public:
  /// Never freed: threads of XLA may run when the process ends.
  static Functions &get() {
    static Functions &functions = *new Functions();
    return functions;
  }

  /// The callable (name, target) -> boostr.Function that compiles. With the
  /// interpreter's lock held.
  void setCompiler(nb::object callable) {
    nb::object old = nb::steal(compiler);
    compiler = callable.release().ptr();
  }

  /// The function for a CPU, for which `device` is -1, or a CUDA device. Takes
  /// the interpreter's lock only if it is not there yet.
  ffi::ErrorOr<const boostr_function *> find(std::string_view name,
                                             int32_t device) {
    {
      std::shared_lock<std::shared_mutex> lock(mutex);
      auto table = tables.find(device);
      if (table != tables.end()) {
        auto found = table->second.find(name);
        if (found != table->second.end())
          return found->second;
      }
    }
    return compile(name, device);
  }

private:
  ffi::ErrorOr<const boostr_function *> compile(std::string_view name,
                                                int32_t device) {
    std::string target = device < 0 ? "cpu" : "cuda:" + std::to_string(device);
    nb::gil_scoped_acquire locked;
    std::string message;
    try {
      nb::object function = nb::handle(compiler)(name, target);
      const boostr_function *table = getTable(function);
      std::unique_lock<std::shared_mutex> lock(mutex);
      tables[device].emplace(name, table);
      return table;
    } catch (nb::python_error &error) {
      message = describe(error);
    } catch (const std::exception &error) {
      message = error.what();
    }
    return ffi::Unexpected(
        ffi::Error(ffi::ErrorCode::kInternal, "boostr.jax: cannot compile " +
                                                  std::string(name) + " for " +
                                                  target + ": " + message));
  }

  /// The exception's words, without the stack. XLA's frames are above, so this
  /// throws nothing.
  static std::string describe(nb::python_error &error) {
    try {
      return nb::cast<std::string>(error.type().attr("__name__")) + ": " +
             nb::cast<std::string>(nb::str(error.value()));
    } catch (const std::exception &) {
      return "an exception without words";
    }
  }

  using Table = std::map<std::string, const boostr_function *, std::less<>>;

  std::shared_mutex mutex;
  std::map<int32_t, Table> tables;
  PyObject *compiler = nullptr;
};

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

/// The arrays of one side of a call, as the runtime sees them.
class Arrays {
public:
  explicit Arrays(DLDevice device) : device(device) {}

  template <typename Buffers> ffi::Error add(const Buffers &buffers) {
    if (buffers.size() > tensors.size())
      return ffi::Error(
          ffi::ErrorCode::kInvalidArgument,
          "boostr.jax: expected at most " + std::to_string(tensors.size()) +
              " arrays on a side, got " + std::to_string(buffers.size()));
    for (size_t i = 0; i < buffers.size(); ++i) {
      auto buffer = buffers.template get<ffi::AnyBuffer>(i);
      if (buffer.has_error())
        return buffer.error();
      add(unwrap(*buffer));
    }
    return ffi::Error::Success();
  }

  const DLTensor *const *data() const { return pointers.data(); }
  int32_t size() const { return count; }

private:
  static const ffi::AnyBuffer &unwrap(const ffi::AnyBuffer &buffer) {
    return buffer;
  }
  static const ffi::AnyBuffer &unwrap(ffi::Result<ffi::AnyBuffer> &result) {
    return *result;
  }

  /// Types without a name here are the runtime's to refuse.
  static DLDataType convert(ffi::DataType type) {
    switch (type) {
    case ffi::DataType::F64:
      return {kDLFloat, 64, 1};
    case ffi::DataType::F32:
      return {kDLFloat, 32, 1};
    case ffi::DataType::F16:
      return {kDLFloat, 16, 1};
    case ffi::DataType::BF16:
      return {kDLBfloat, 16, 1};
    default:
      return {kDLOpaqueHandle, 0, 1};
    }
  }

  void add(const ffi::AnyBuffer &buffer) {
    DLTensor &tensor = tensors[count];
    tensor = {};
    tensor.data = buffer.untyped_data();
    tensor.device = device;
    tensor.ndim = static_cast<int32_t>(buffer.dimensions().size());
    tensor.dtype = convert(buffer.element_type());
    // Row-major, as boostr/jax asks XLA for.
    tensor.shape = const_cast<int64_t *>(buffer.dimensions().begin());
    pointers[count++] = &tensor;
  }

  DLDevice device;
  int32_t count = 0;
  std::array<DLTensor, 8> tensors;
  std::array<const DLTensor *, 8> pointers;
};

} // namespace

//===----------------------------------------------------------------------===//
// Handlers
//===----------------------------------------------------------------------===//

/// What is left on this thread of a failure of the runtime.
static ffi::Error toError(boostr_status status) {
  switch (status) {
  case BOOSTR_OK:
    return ffi::Error::Success();
  case BOOSTR_INVALID_ARGUMENT:
    return ffi::Error(ffi::ErrorCode::kInvalidArgument, boostr_last_error());
  case BOOSTR_OUT_OF_MEMORY:
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, boostr_last_error());
  case BOOSTR_UNAVAILABLE:
    return ffi::Error(ffi::ErrorCode::kUnavailable, boostr_last_error());
  case BOOSTR_UNSUPPORTED:
    return ffi::Error(ffi::ErrorCode::kUnimplemented, boostr_last_error());
  case BOOSTR_CANCELLED:
    return ffi::Error(ffi::ErrorCode::kCancelled, boostr_last_error());
  default:
    return ffi::Error(ffi::ErrorCode::kInternal, boostr_last_error());
  }
}

/// Calls call(function, inputs, outputs), which returns a status.
template <typename Call>
static ffi::Error callFunction(std::string_view name, DLDevice device,
                               ffi::RemainingArgs args, ffi::RemainingRets rets,
                               Call call) {
  auto function = Functions::get().find(
      name, device.device_type == kDLCPU ? -1 : device.device_id);
  if (function.has_error())
    return function.error();
  Arrays inputs(device), outputs(device);
  if (ffi::Error error = inputs.add(args); error.failure())
    return error;
  if (ffi::Error error = outputs.add(rets); error.failure())
    return error;
  return toError(call(*function, inputs, outputs));
}

static ffi::Error runOnCpu(ffi::ThreadPool pool, ffi::RemainingArgs args,
                           ffi::RemainingRets rets, std::string_view name) {
  return callFunction(name, {kDLCPU, 0}, args, rets,
                      [&](const boostr_function *function, const Arrays &inputs,
                          const Arrays &outputs) {
                        XlaThreads threads(pool);
                        boostr_context *context;
                        if (boostr_status status = threads.get(context))
                          return status;
                        return boostr_call(context, function, inputs.data(),
                                           inputs.size(), outputs.data(),
                                           outputs.size());
                      });
}

static ffi::Error runOnCuda(void *stream, int32_t device,
                            ffi::ScratchAllocator scratch,
                            ffi::RemainingArgs args, ffi::RemainingRets rets,
                            std::string_view name) {
  return callFunction(name, {kDLCUDA, device}, args, rets,
                      [&](const boostr_function *function, const Arrays &inputs,
                          const Arrays &outputs) {
                        XlaMemory memory(scratch);
                        boostr_context *context;
                        if (boostr_status status = memory.get(context))
                          return status;
                        return boostr_call_on_stream(
                            context, stream, function, inputs.data(),
                            inputs.size(), outputs.data(), outputs.size());
                      });
}

/// Compiles when XLA compiles or loads the program, and not when it runs.
static ffi::Error instantiateOnCpu(ffi::RemainingArgs, ffi::RemainingRets,
                                   std::string_view name) {
  auto function = Functions::get().find(name, /*device=*/-1);
  return function.has_error() ? function.error() : ffi::Error::Success();
}

/// The same for the first device: which ones will run the program is not known
/// yet, and those of a machine are mostly alike, so that the others find what
/// is compiled here on disk. Where this fails, running will say why.
static ffi::Error instantiateOnCuda(ffi::RemainingArgs, ffi::RemainingRets,
                                    std::string_view name) {
  (void)Functions::get().find(name, /*device=*/0);
  return ffi::Error::Success();
}

// Whether there are arrays at this stage depends on XLA: on CUDA devices it
// shows those of the call, without data.
XLA_FFI_DEFINE_HANDLER(cpuInstantiate, instantiateOnCpu,
                       ffi::Ffi::BindInstantiate()
                           .RemainingArgs()
                           .RemainingRets()
                           .Attr<std::string_view>("function"));

XLA_FFI_DEFINE_HANDLER(cudaInstantiate, instantiateOnCuda,
                       ffi::Ffi::BindInstantiate()
                           .RemainingArgs()
                           .RemainingRets()
                           .Attr<std::string_view>("function"));

XLA_FFI_DEFINE_HANDLER(cpuExecute, runOnCpu,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::ThreadPool>()
                           .RemainingArgs()
                           .RemainingRets()
                           .Attr<std::string_view>("function"));

// Without the trait for command buffers: some functions take memory from XLA
// for the time of the call, which their kernels would use at each launch.
XLA_FFI_DEFINE_HANDLER(cudaExecute, runOnCuda,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::PlatformStream<void *>>()
                           .Ctx<ffi::DeviceOrdinal>()
                           .Ctx<ffi::ScratchAllocator>()
                           .RemainingArgs()
                           .RemainingRets()
                           .Attr<std::string_view>("function"));

static nb::capsule wrap(XLA_FFI_Handler *handler) {
  return nb::capsule(reinterpret_cast<void *>(handler));
}

static nb::dict getHandlers(nb::object compiler) {
  Functions::get().setCompiler(std::move(compiler));
  nb::dict cpu, cuda, handlers;
  cpu["instantiate"] = wrap(cpuInstantiate);
  cpu["execute"] = wrap(cpuExecute);
  cuda["instantiate"] = wrap(cudaInstantiate);
  cuda["execute"] = wrap(cudaExecute);
  handlers["cpu"] = cpu;
  handlers["CUDA"] = cuda;
  return handlers;
}

void boostr_python::defineJaxFfi(nb::module_ &module) {
  module.attr("xla_ffi_version") =
      nb::make_tuple(XLA_FFI_API_MAJOR, XLA_FFI_API_MINOR);
  module.def("jax_handlers", &getHandlers, "compiler"_a,
             R"(The handlers to register with XLA, by platform and stage.

compiler: called as compiler(name, target) for a function that is met for the first time,
  with the attribute "function" of the custom call and "cpu" or "cuda:N"; returns a
  boostr.Function.)");
}
