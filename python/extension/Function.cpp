// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Function.h"
#include "Context.h"
#include "Tensor.h"
#include <dlfcn.h>
#include <memory>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <optional>
#include <string>
#include <vector>

namespace nb = nanobind;
using namespace nb::literals;
using namespace boostr_python;

namespace {

/// Memory of a CUDA device in place of an array of the host.
class DeviceCopy {
public:
  DeviceCopy(DLTensor &tensor, int32_t device, bool isRead)
      : device(device),
        host(static_cast<char *>(tensor.data) + tensor.byte_offset) {
    bytes = (tensor.dtype.bits * tensor.dtype.lanes + 7) / 8;
    for (int32_t i = 0; i < tensor.ndim; ++i)
      bytes *= static_cast<size_t>(tensor.shape[i]);
    check(boostr_cuda_allocate(device, bytes, &block));
    if (isRead && bytes)
      check(boostr_cuda_copy(device, nullptr, block, host, bytes));
    tensor.data = block;
    tensor.byte_offset = 0;
    tensor.device = {kDLCUDA, device};
  }
  ~DeviceCopy() { boostr_cuda_release(device, block); }
  DeviceCopy(const DeviceCopy &) = delete;
  DeviceCopy &operator=(const DeviceCopy &) = delete;

  void copyBack() {
    if (bytes)
      check(boostr_cuda_copy(device, nullptr, host, block, bytes));
  }

private:
  int32_t device;
  void *block = nullptr;
  char *host;
  size_t bytes;
};

/// True if the elements follow each other in C order, which is all that a call
/// takes: of another tensor nothing is copied, for the call will refuse it.
bool isCompact(const DLTensor &tensor) {
  // Without elements, strides may be anything.
  for (int32_t i = 0; i < tensor.ndim; ++i)
    if (tensor.shape[i] == 0)
      return true;
  int64_t expected = 1;
  for (int32_t i = tensor.ndim - 1; tensor.strides && i >= 0; --i) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected)
      return false;
    expected *= tensor.shape[i];
  }
  return true;
}

/// The tensors of one side of a call.
class Tensors {
public:
  explicit Tensors(int32_t count) {
    tensors.reserve(count);
    pointers.reserve(count);
  }

  void add(nb::handle object, const Place &place) {
    tensors.emplace_back(object, place);
    pointers.push_back(&tensors.back().dl);
  }

  /// Puts copies on a device in place of what lies in the host's memory.
  void moveTo(int32_t device, bool areRead) {
    for (Tensor &tensor : tensors)
      if (tensor.dl.device.device_type == kDLCPU)
        copies.push_back(std::make_unique<DeviceCopy>(
            tensor.dl, device, areRead && isCompact(tensor.dl)));
  }

  void copyBack() {
    for (auto &copy : copies)
      copy->copyBack();
  }

  const DLTensor *const *data() const { return pointers.data(); }
  int32_t size() const { return static_cast<int32_t>(pointers.size()); }

private:
  std::vector<Tensor> tensors;
  std::vector<const DLTensor *> pointers;
  std::vector<std::unique_ptr<DeviceCopy>> copies;
};

/// "float32", "bfloat16", "bool".
std::string getName(DLDataType type) {
  switch (type.code) {
  case kDLInt:
    return "int" + std::to_string(type.bits);
  case kDLUInt:
    return "uint" + std::to_string(type.bits);
  case kDLBfloat:
    return "bfloat" + std::to_string(type.bits);
  case kDLFloat:
    return "float" + std::to_string(type.bits);
  default:
    return "bool";
  }
}

/// As in "weight: float32[?, 64]".
std::string describe(const boostr_tensor_spec &spec) {
  std::string text =
      spec.name && *spec.name ? std::string(spec.name) + ": " : "";
  text += getName(spec.dtype) + "[";
  for (int32_t i = 0; i < spec.rank; ++i) {
    text += i ? ", " : "";
    text += spec.shape[i] < 0 ? "?" : std::to_string(spec.shape[i]);
  }
  return text + "]";
}

std::string join(const boostr_tensor_spec *specs, int32_t count) {
  std::string text = "(";
  for (int32_t i = 0; i < count; ++i)
    text += (i ? ", " : "") + describe(specs[i]);
  return text + ")";
}

/// A new tensor of the framework, without a detour through Python.
nb::object allocateByExchange(const ExchangeApi &exchange,
                              const boostr_tensor_spec &spec, int64_t *extents,
                              DLDevice where) {
  DLTensor prototype = {};
  prototype.device = where;
  prototype.ndim = spec.rank;
  prototype.dtype = spec.dtype;
  prototype.shape = extents;
  std::string message;
  auto setError = [](void *context, const char *kind, const char *text) {
    *static_cast<std::string *>(context) = std::string(kind) + ": " + text;
  };
  void *managed = nullptr, *object = nullptr;
  if (exchange.allocate(&prototype, &managed, &message, setError) != 0) {
    if (PyErr_Occurred())
      throw nb::python_error();
    throw std::runtime_error(message);
  }
  if (exchange.toPython(managed, &object) != 0)
    throw nb::python_error();
  return nb::steal(static_cast<PyObject *>(object));
}

class Function {
public:
  Function(const boostr_function *table, int32_t device)
      : table(table), device(device) {
    isCuda = table->abi_version % 1000 >= 1 && table->device_type == kDLCUDA;
    for (int32_t i = 0; i < table->num_outputs; ++i) {
      numExtents += table->outputs[i].rank;
      outputTypes.push_back(nb::str(getName(table->outputs[i].dtype).c_str()));
    }
  }

  const boostr_function *getTable() const { return table; }

  std::string getFunctionName() const { return table->name; }

  std::string str() const {
    return std::string(table->name) + join(table->inputs, table->num_inputs) +
           " -> " + join(table->outputs, table->num_outputs);
  }

  nb::object call(const nb::args &inputs, const nb::kwargs &options) const {
    Options chosen = readOptions(options);
    if (static_cast<int32_t>(inputs.size()) != table->num_inputs)
      throw nb::type_error((std::string(table->name) + " expected " +
                            std::to_string(table->num_inputs) +
                            " arguments, got " + std::to_string(inputs.size()))
                               .c_str());
    Tensors read(table->num_inputs);
    for (int32_t i = 0; i < table->num_inputs; ++i)
      read.add(inputs[i], {/*isOutput=*/false, i, &table->inputs[i]});
    const Framework &framework = getFramework(
        inputs.size() ? nb::handle(inputs[0]) : nb::handle(Py_None));
    std::vector<nb::object> results =
        chosen.out.is_valid() ? readOut(chosen.out)
                              : allocate(framework, read,
                                         inputs.size() ? read.data()[0]->device
                                                       : DLDevice{kDLCPU, 0});
    Tensors written(table->num_outputs);
    for (int32_t i = 0; i < table->num_outputs; ++i)
      written.add(results[i], {/*isOutput=*/true, i, &table->outputs[i]});
    run(chosen, framework, read, written);
    return finish(framework, std::move(results), chosen.out.is_valid());
  }

private:
  struct Options {
    nb::object out;
    boostr_context *context = nullptr;
    std::optional<uintptr_t> stream;
  };

  static Options readOptions(const nb::kwargs &given) {
    Options options;
    for (auto [key, value] : given) {
      std::string name = nb::cast<std::string>(key);
      if (value.is_none())
        continue;
      if (name == "out") {
        options.out = nb::borrow(value);
      } else if (name == "context") {
        const Context *context = nullptr;
        if (!nb::try_cast(value, context) || !context)
          throw nb::type_error(
              (std::string("expected a boostr.Context as 'context', got ") +
               nb::type_name(value.type()).c_str())
                  .c_str());
        options.context = context->get();
      } else if (name == "stream") {
        uintptr_t stream = 0;
        if (!nb::try_cast(value, stream))
          throw nb::type_error("expected the address of a CUDA stream as "
                               "'stream', an int");
        options.stream = stream;
      } else {
        throw nb::type_error(("unexpected keyword argument '" + name +
                              "', only out, context and stream are known")
                                 .c_str());
      }
    }
    return options;
  }

  std::vector<nb::object> readOut(const nb::object &out) const {
    bool isList =
        nb::isinstance<nb::tuple>(out) || nb::isinstance<nb::list>(out);
    std::vector<nb::object> results;
    if (isList)
      for (nb::handle result : nb::borrow<nb::sequence>(out))
        results.push_back(nb::borrow(result));
    else
      results.push_back(out);
    if (static_cast<int32_t>(results.size()) != table->num_outputs)
      throw nb::type_error((std::string(table->name) + " expected " +
                            std::to_string(table->num_outputs) +
                            " arrays in 'out', got " +
                            std::to_string(results.size()))
                               .c_str());
    return results;
  }

  std::vector<nb::object> allocate(const Framework &framework,
                                   const Tensors &read, DLDevice where) const {
    std::vector<int64_t> extents(numExtents + 1);
    check(
        boostr_output_shapes(table, read.data(), read.size(), extents.data()));
    std::vector<nb::object> results;
    int64_t *next = extents.data();
    if (framework.exchange && framework.exchange->allocate &&
        framework.exchange->toPython) {
      for (int32_t i = 0; i < table->num_outputs; ++i) {
        results.push_back(allocateByExchange(*framework.exchange,
                                             table->outputs[i], next, where));
        next += table->outputs[i].rank;
      }
      return results;
    }
    nb::object empty = framework.adapter.attr("empty");
    for (int32_t i = 0; i < table->num_outputs; ++i) {
      nb::object shape = nb::steal(PyTuple_New(table->outputs[i].rank));
      for (int32_t d = 0; d < table->outputs[i].rank; ++d)
        PyTuple_SetItem(shape.ptr(), d, PyLong_FromLongLong(*next++));
      results.push_back(empty(shape, outputTypes[i],
                              static_cast<int>(where.device_type),
                              static_cast<int>(where.device_id)));
    }
    return results;
  }

  void *getStream(const Options &options, const Framework &framework,
                  const Tensors &read) const {
    if (options.stream)
      return reinterpret_cast<void *>(*options.stream);
    int32_t where = read.size() ? read.data()[0]->device.device_id : device;
    void *stream = nullptr;
    if (framework.exchange && framework.exchange->currentStream) {
      if (framework.exchange->currentStream(kDLCUDA, where, &stream) != 0)
        throw nb::python_error();
      return stream;
    }
    return reinterpret_cast<void *>(
        nb::cast<uintptr_t>(framework.adapter.attr("stream")(where)));
  }

  void run(const Options &options, const Framework &framework, Tensors &read,
           Tensors &written) const {
    if (!isCuda) {
      nb::gil_scoped_release release;
      checkLocked(boostr_call(options.context, table, read.data(), read.size(),
                              written.data(), written.size()));
      return;
    }
    if (nb::cast<bool>(framework.adapter.attr("copies_to_device"))) {
      read.moveTo(device, /*areRead=*/true);
      written.moveTo(device, /*areRead=*/false);
    }
    void *stream = getStream(options, framework, read);
    boostr_context *context = options.context;
    // A framework's memory is that of its own stream.
    if (!context && !options.stream)
      context = framework.cudaContext;
    {
      nb::gil_scoped_release release;
      checkLocked(boostr_call_on_stream(context, stream, table, read.data(),
                                        read.size(), written.data(),
                                        written.size()));
    }
    written.copyBack();
  }

  /// `check` by a thread that does not hold the interpreter's lock.
  static void checkLocked(boostr_status status) {
    if (status == BOOSTR_OK)
      return;
    nb::gil_scoped_acquire acquire;
    check(status);
  }

  nb::object finish(const Framework &framework, std::vector<nb::object> results,
                    bool areGiven) const {
    if (!areGiven) {
      nb::object wrap = framework.adapter.attr("wrap");
      if (!wrap.is_none())
        for (nb::object &result : results)
          result = wrap(result);
    }
    if (results.size() == 1)
      return results[0];
    nb::object tuple = nb::steal(PyTuple_New(results.size()));
    for (size_t i = 0; i < results.size(); ++i)
      PyTuple_SetItem(tuple.ptr(), i, results[i].release().ptr());
    return tuple;
  }

  const boostr_function *table;
  int32_t device;
  bool isCuda = false;
  int32_t numExtents = 0;
  std::vector<nb::object> outputTypes;
};

} // namespace

/// The functions of a shared object. It is never unloaded: threads may still be
/// in its code, and a process has few of them.
static std::vector<Function> loadFunctions(const std::string &path,
                                           int32_t device) {
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    PyErr_SetString(PyExc_OSError, reason ? reason : path.c_str());
    throw nb::python_error();
  }
  auto **next = static_cast<const boostr_function **>(
      dlsym(library, "boostr_module_functions"));
  if (!next)
    throw nb::value_error(("'" + path +
                           "' was not made by boostr-compile: it has no "
                           "boostr_module_functions")
                              .c_str());
  std::vector<Function> functions;
  for (; *next; ++next) {
    // Of another major version nothing but the version may be read.
    int32_t major = (*next)->abi_version / 1000;
    if (major != BOOSTR_ABI_MAJOR)
      throw std::runtime_error("'" + path + "' was compiled for version " +
                               std::to_string(major) +
                               " of the runtime's interface, expected " +
                               std::to_string(BOOSTR_ABI_MAJOR));
    functions.emplace_back(*next, device);
  }
  return functions;
}

const boostr_function *boostr_python::getTable(nb::handle function) {
  const Function *found = nullptr;
  if (!nb::try_cast(function, found) || !found)
    throw nb::type_error("expected a boostr.Function");
  return found->getTable();
}

void boostr_python::defineFunction(nb::module_ &module) {
  nb::class_<Function>(module, "Function", R"(A function of a compiled module.

Called with one tensor per input it returns its result, or a tuple if it has several:

    y = module.project(attn, weight, residual)
    module.project(attn, weight, residual, out=y)

Arguments:
  *inputs: as many tensors as the function has inputs: NumPy arrays, PyTorch tensors or
    anything else with DLPack or the buffer protocol. Elements must lie in C order and
    have exactly the type of the source: nothing is copied or converted. bfloat16 is
    torch.bfloat16, ml_dtypes.bfloat16, or uint16 with the same bits.
  out: a tensor, or a tuple with one for each result, to write to; must not share memory
    with an input. Otherwise results are new tensors of the first input's framework, on
    its device.
  context: a boostr.Context, the threads to use; by default as many as there are processors.
  stream: the address of a CUDA stream; by default the framework's current one.

A function that was compiled for CUDA devices only queues its work on the stream, except
with NumPy arrays: then it runs on copies, and the results are copied back.

Raises:
  TypeError: a wrong number of arguments, or what is no tensor.
  ValueError: a wrong rank, shape, element type, device or stride, a read-only output or
    one that shares memory. It names the argument, what was expected and what was found;
    nothing is written then.
  MemoryError, RuntimeError: what fails later.)")
      .def("__call__", &Function::call,
           nb::sig("def __call__(self, *inputs: typing.Any, "
                   "out: typing.Any = None, context: Context | None = None, "
                   "stream: int | None = None) -> typing.Any"))
      .def("__repr__", &Function::str)
      .def_prop_ro("name", &Function::getFunctionName, "As in the source.");
  module.def("load_functions", &loadFunctions, "path"_a, "device"_a = 0,
             "The functions of a shared object that boostr-compile made.");
}
