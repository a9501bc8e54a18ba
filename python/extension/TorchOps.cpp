// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TorchOps.h"
#include "Context.h"
#include "Function.h"
#include "TorchInterface.h"
#include "TorchMemory.h"
#include <algorithm>
#include <array>
#include <atomic>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace nb = nanobind;
using namespace nb::literals;
using namespace boostr_python;

namespace {

/// A map that is only ever added to, and read without a lock: kernels look
/// their function up in it at each call, from any thread.
template <size_t numWords, typename T> class GrowingMap {
public:
  using Key = std::array<int64_t, numWords>;

  T *find(const Key &key) const {
    for (Entry *entry = getBucket(key).load(std::memory_order_acquire); entry;
         entry = entry->next)
      if (entry->key == key)
        return entry->value;
    return nullptr;
  }

  /// A second entry of a key, by a thread that was slower, does no harm.
  void add(const Key &key, T *value) {
    std::atomic<Entry *> &bucket = getBucket(key);
    auto *entry = new Entry{key, value, bucket.load()};
    while (!bucket.compare_exchange_weak(entry->next, entry))
      ;
  }

private:
  struct Entry {
    Key key;
    T *value;
    Entry *next;
  };

  std::atomic<Entry *> &getBucket(const Key &key) const {
    uint64_t hash = 0;
    for (int64_t word : key)
      hash = (hash ^ static_cast<uint64_t>(word)) * 0x9E3779B97F4A7C15u;
    return buckets[hash >> 56];
  }

  mutable std::array<std::atomic<Entry *>, 256> buckets{};
};

/// Which op, element type and device, and what else its function is compiled
/// for: see boostr/torch/_compute.py.
constexpr size_t maxNumbers = 5;
using FunctionMap = GrowingMap<3 + maxNumbers, const boostr_function>;

/// What all kernels share. PyTorch calls them without a place for a state of
/// theirs.
struct Kernels {
  TorchInterface torch;
  /// (op, element type, device, numbers) -> Function.
  nb::object findFunction;
  /// (number of threads) -> Context.
  nb::object findContext;
  FunctionMap functions;
  GrowingMap<1, boostr_context> contexts;
};

} // namespace

/// Set once, before any kernel is registered; lives as long as the process, as
/// PyTorch's registrations do.
static Kernels *kernels = nullptr;

static void checkTorch(int error) {
  if (error)
    throw std::runtime_error("PyTorch failed at a step of a boostr op");
}

/// PyTorch turns the first into a ValueError, the second into a RuntimeError.
static void checkRuntime(boostr_status status) {
  if (status == BOOSTR_OK)
    return;
  if (status == BOOSTR_INVALID_ARGUMENT)
    throw std::invalid_argument(boostr_last_error());
  if (status == BOOSTR_OUT_OF_MEMORY)
    throw std::bad_alloc();
  throw std::runtime_error(boostr_last_error());
}

/// Calls Python. An exception goes on as one of C++, with its words.
template <typename Function> static auto callPython(Function function) {
  nb::gil_scoped_acquire acquire;
  try {
    return function();
  } catch (nb::python_error &error) {
    std::string words = nb::str(error.value()).c_str();
    if (error.matches(PyExc_ValueError) || error.matches(PyExc_TypeError))
      throw std::invalid_argument(words);
    throw std::runtime_error(words);
  }
}

namespace {

/// A tensor that is owned, and what the runtime wants to know of it.
class Operand {
public:
  Operand() = default;
  explicit Operand(TorchInterface::Value value)
      : tensor(reinterpret_cast<TorchInterface::Tensor>(value)) {}
  ~Operand() { reset(); }
  Operand(Operand &&other) noexcept
      : dl(other.dl), tensor(std::exchange(other.tensor, nullptr)) {}
  Operand &operator=(Operand &&other) noexcept {
    std::swap(tensor, other.tensor);
    dl = other.dl;
    return *this;
  }

  TorchInterface::Value release() {
    return reinterpret_cast<TorchInterface::Value>(
        std::exchange(tensor, nullptr));
  }

  /// Fills in `dl`, of a copy if the tensor is not contiguous.
  void describe(const char *name) {
    bool isContiguous = false;
    checkTorch(kernels->torch.isContiguous(tensor, &isContiguous));
    readLayout(name);
    if (isContiguous)
      return checkTorch(kernels->torch.getDataPointer(tensor, &dl.data));
    Operand copy = allocate(dl.ndim, dl.shape, dtype, dl.dtype, dl.device);
    checkTorch(kernels->torch.copy(copy.tensor, tensor, /*isNonBlocking=*/0));
    // The extents of the copy, for those of the original go with it.
    checkTorch(kernels->torch.getSizes(copy.tensor, &copy.dl.shape));
    *this = std::move(copy);
  }

  int32_t getDtype() const { return dtype; }

  int64_t getExtent(int32_t dim) const { return dl.shape[dim]; }

  /// A new tensor in C order, described as such. Keeps `extents`.
  static Operand allocate(int32_t rank, int64_t *extents, int32_t dtype,
                          DLDataType element, DLDevice where) {
    int64_t strides[BOOSTR_MAX_RANK];
    int64_t stride = 1;
    for (int32_t i = rank - 1; i >= 0; --i) {
      strides[i] = stride;
      stride *= std::max<int64_t>(extents[i], 1);
    }
    const TorchInterface &torch = kernels->torch;
    bool isCpu = where.device_type == kDLCPU;
    Operand result;
    // What may fail is the allocation. The words are PyTorch's, which programs
    // look for to retry with less; why it failed PyTorch has logged.
    if (torch.emptyStrided(rank, extents, strides, dtype,
                           isCpu ? torch.cpu : torch.cuda,
                           isCpu ? -1 : where.device_id, &result.tensor))
      throw std::runtime_error(std::string(isCpu ? "CPU" : "CUDA") +
                               " out of memory. A boostr op could not get the "
                               "memory for a tensor");
    result.dtype = dtype;
    result.dl.device = where;
    result.dl.ndim = rank;
    result.dl.dtype = element;
    result.dl.shape = extents;
    checkTorch(torch.getDataPointer(result.tensor, &result.dl.data));
    return result;
  }

  DLTensor dl = {};

private:
  void readLayout(const char *name) {
    const TorchInterface &torch = kernels->torch;
    int64_t rank = 0;
    int32_t deviceType = 0;
    checkTorch(torch.getDim(tensor, &rank));
    checkTorch(torch.getSizes(tensor, &dl.shape));
    checkTorch(torch.getStrides(tensor, &dl.strides));
    checkTorch(torch.getDtype(tensor, &dtype));
    checkTorch(torch.getDeviceType(tensor, &deviceType));
    checkTorch(torch.getDeviceIndex(tensor, &dl.device.device_id));
    dl.ndim = static_cast<int32_t>(rank);
    auto element = torch.getElement(dtype);
    if (!element || rank > BOOSTR_MAX_RANK)
      throw std::invalid_argument(
          std::string(name) +
          ": expected float64, float32, float16 or bfloat16");
    dl.dtype = *element;
    if (deviceType != torch.cpu && deviceType != torch.cuda)
      throw std::invalid_argument(std::string(name) +
                                  ": expected a tensor on cpu or cuda");
    dl.device.device_type = deviceType == torch.cpu ? kDLCPU : kDLCUDA;
    if (deviceType == torch.cpu)
      dl.device.device_id = 0;
  }

  void reset() {
    if (tensor)
      kernels->torch.deleteTensor(tensor);
  }

  TorchInterface::Tensor tensor = nullptr;
  int32_t dtype = 0;
};

/// The tensors and numbers of a call.
class Call {
public:
  Call(int64_t op, const char *name) : op(op), name(name) {}

  void add(const char *argument, TorchInterface::Value value) {
    names[numInputs] = argument;
    inputs[numInputs++] = Operand(value);
  }

  /// Returns whether it is there.
  bool addOptional(const char *argument, TorchInterface::Value value) {
    auto *place = reinterpret_cast<TorchInterface::Value *>(value);
    if (!place)
      return false;
    add(argument, *place);
    delete place;
    return true;
  }

  /// After all tensors: arguments of a wrong rank are refused.
  void describe(std::initializer_list<int32_t> ranks) {
    const int32_t *rank = ranks.begin();
    for (size_t i = 0; i < numInputs; ++i) {
      inputs[i].describe(names[i]);
      if (inputs[i].dl.ndim != rank[i])
        throw std::invalid_argument(
            std::string(names[i]) + ": expected " + std::to_string(rank[i]) +
            " dimensions, got " + std::to_string(inputs[i].dl.ndim));
    }
  }

  const Operand &operator[](size_t i) const { return inputs[i]; }

  /// Runs the function for these numbers. The results are `outputs`.
  void run(std::initializer_list<int64_t> numbers) {
    const boostr_function &function = getFunction(numbers);
    const DLTensor *read[maxInputs], *written[maxOutputs];
    for (size_t i = 0; i < numInputs; ++i)
      read[i] = &inputs[i].dl;
    allocateOutputs(function, read);
    for (size_t i = 0; i < numOutputs; ++i)
      written[i] = &outputs[i].dl;
    auto numRead = static_cast<int32_t>(numInputs);
    auto numWritten = static_cast<int32_t>(numOutputs);
    DLDevice where = inputs[0].dl.device;
    if (where.device_type == kDLCPU)
      return checkRuntime(boostr_call(getContext(), &function, read, numRead,
                                      written, numWritten));
    void *stream = nullptr;
    checkTorch(kernels->torch.getCudaStream(where.device_id, &stream));
    boostr_status status =
        boostr_call_on_stream(getTorchCudaContext(), stream, &function, read,
                              numRead, written, numWritten);
    // In PyTorch's words, as above.
    if (status == BOOSTR_OUT_OF_MEMORY)
      throw std::runtime_error(
          std::string("CUDA out of memory. A boostr op: ") +
          boostr_last_error());
    checkRuntime(status);
  }

  // Those of a gradient by separate weights.
  static constexpr size_t maxInputs = 7, maxOutputs = 7;
  std::array<Operand, maxOutputs> outputs;
  size_t numOutputs = 0;

private:
  const boostr_function &
  getFunction(std::initializer_list<int64_t> numbers) const {
    const DLTensor &first = inputs[0].dl;
    bool isCpu = first.device.device_type == kDLCPU;
    int64_t device = isCpu ? -1 : first.device.device_id;
    FunctionMap::Key key = {op, inputs[0].getDtype(), device};
    std::copy(numbers.begin(), numbers.end(), key.begin() + 3);
    if (const boostr_function *known = kernels->functions.find(key))
      return *known;
    const boostr_function *function = callPython([&] {
      return getTable(
          kernels->findFunction(name, getElementName(first.dtype), device,
                                nb::cast(std::vector<int64_t>(numbers))));
    });
    kernels->functions.add(key, function);
    return *function;
  }

  static const char *getElementName(DLDataType type) {
    if (type.code == kDLBfloat)
      return "bf16";
    return type.bits == 64 ? "f64" : type.bits == 32 ? "f32" : "f16";
  }

  static boostr_context *getContext() {
    uint32_t count = 1;
    checkTorch(kernels->torch.getNumThreads(&count));
    if (boostr_context *known = kernels->contexts.find({count}))
      return known;
    boostr_context *context = callPython([&] {
      // Kept for the process, like the threads that it stands for.
      nb::object object = kernels->findContext(count);
      return nb::cast<const Context &>(object.release()).get();
    });
    kernels->contexts.add({count}, context);
    return context;
  }

  void allocateOutputs(const boostr_function &function,
                       const DLTensor *const *read) {
    checkRuntime(boostr_output_shapes(
        &function, read, static_cast<int32_t>(numInputs), extents.data()));
    int64_t *next = extents.data();
    numOutputs = static_cast<size_t>(function.num_outputs);
    for (size_t i = 0; i < numOutputs; ++i) {
      int32_t rank = function.outputs[i].rank;
      outputs[i] = Operand::allocate(rank, next, inputs[0].getDtype(),
                                     inputs[0].dl.dtype, inputs[0].dl.device);
      next += rank;
    }
  }

  int64_t op;
  const char *name;
  std::array<Operand, maxInputs> inputs;
  std::array<const char *, maxInputs> names = {};
  size_t numInputs = 0;
  std::array<int64_t, maxOutputs * BOOSTR_MAX_RANK> extents;
};

} // namespace

//===----------------------------------------------------------------------===//
// Kernels. Arguments are those of the schemas in boostr/torch/_ops.py.
//===----------------------------------------------------------------------===//

static void fusedQkv(TorchInterface::Value *stack, uint64_t, uint64_t) {
  Call call(0, "fused_qkv");
  call.add("x", stack[0]);
  call.add("w", stack[1]);
  bool hasBias = call.addOptional("b", stack[2]);
  call.describe({3, 2, 1});
  auto heads = static_cast<int64_t>(stack[3]);
  auto kvHeads = static_cast<int64_t>(stack[4]);
  auto dim = static_cast<int64_t>(stack[5]);
  // Or a function would be compiled only to refuse this.
  if (call[1].getExtent(0) != (heads + 2 * kvHeads) * dim)
    throw std::invalid_argument("w: expected (num_heads + 2 * num_kv_heads) * "
                                "head_dim rows, got " +
                                std::to_string(call[1].getExtent(0)));
  call.run({call[1].getExtent(1), heads, kvHeads, dim, hasBias});
  for (size_t i = 0; i < call.numOutputs; ++i)
    stack[i] = call.outputs[i].release();
}

/// A weight, and a bias or none, for each of query, key and value.
static void fusedQkvSeparate(TorchInterface::Value *stack, uint64_t, uint64_t) {
  Call call(4, "fused_qkv_separate");
  const char *const names[] = {"w[0]", "w[1]", "w[2]", "b[0]", "b[1]", "b[2]"};
  call.add("x", stack[0]);
  for (size_t i = 0; i < 3; ++i)
    call.add(names[i], stack[1 + i]);
  int numBiases = 0;
  for (size_t i = 3; i < 6; ++i)
    numBiases += call.addOptional(names[i], stack[1 + i]);
  if (numBiases % 3 != 0)
    throw std::invalid_argument("b: expected three tensors, as w has, got " +
                                std::to_string(numBiases));
  call.describe({3, 2, 2, 2, 1, 1, 1});
  auto heads = static_cast<int64_t>(stack[7]);
  auto kvHeads = static_cast<int64_t>(stack[8]);
  auto dim = static_cast<int64_t>(stack[9]);
  for (size_t i = 0; i < 3; ++i) {
    int64_t rows = (i == 0 ? heads : kvHeads) * dim;
    int64_t found = call[1 + i].getExtent(0);
    if (found != rows)
      throw std::invalid_argument(std::string(names[i]) + ": expected " +
                                  std::to_string(rows) + " rows, got " +
                                  std::to_string(found));
  }
  call.run({call[1].getExtent(1), heads, kvHeads, dim, numBiases != 0});
  for (size_t i = 0; i < call.numOutputs; ++i)
    stack[i] = call.outputs[i].release();
}

static void outProjResidual(TorchInterface::Value *stack, uint64_t, uint64_t) {
  Call call(1, "out_proj_residual");
  call.add("attn", stack[0]);
  call.add("w", stack[1]);
  bool hasBias = call.addOptional("b", stack[2]);
  call.add("residual", stack[3]);
  if (hasBias)
    call.describe({3, 2, 1, 3});
  else
    call.describe({3, 2, 3});
  call.run({call[1].getExtent(0), call[1].getExtent(1), hasBias});
  stack[0] = call.outputs[0].release();
}

/// The three flags of a gradient as bits. Booleans fill a byte of their value.
static int64_t readFlags(const TorchInterface::Value *flags) {
  int64_t bits = 0;
  for (int i = 0; i < 3; ++i)
    bits |= static_cast<int64_t>((flags[i] & 0xff) != 0) << i;
  return bits;
}

/// A list of the results of a call.
static TorchInterface::Value makeList(Call &call) {
  void *list = nullptr;
  checkTorch(kernels->torch.newList(call.numOutputs, &list));
  for (size_t i = 0; i < call.numOutputs; ++i)
    checkTorch(kernels->torch.pushBack(list, call.outputs[i].release()));
  return reinterpret_cast<TorchInterface::Value>(list);
}

static void fusedQkvGrad(TorchInterface::Value *stack, uint64_t, uint64_t) {
  Call call(2, "fused_qkv_grad");
  const char *const names[] = {"dq", "dk", "dv", "x", "w"};
  for (size_t i = 0; i < 5; ++i)
    call.add(names[i], stack[i]);
  int64_t flags = readFlags(stack + 5);
  if (flags) {
    call.describe({4, 4, 4, 3, 2});
    call.run({call[4].getExtent(1), call[0].getExtent(1), call[1].getExtent(1),
              call[0].getExtent(3), flags});
  }
  stack[0] = makeList(call);
}

static void fusedQkvSeparateGrad(TorchInterface::Value *stack, uint64_t,
                                 uint64_t) {
  Call call(5, "fused_qkv_separate_grad");
  const char *const names[] = {"dq", "dk", "dv", "x", "w[0]", "w[1]", "w[2]"};
  for (size_t i = 0; i < 7; ++i)
    call.add(names[i], stack[i]);
  int64_t flags = readFlags(stack + 7);
  if (flags) {
    call.describe({4, 4, 4, 3, 2, 2, 2});
    call.run({call[4].getExtent(1), call[0].getExtent(1), call[1].getExtent(1),
              call[0].getExtent(3), flags});
  }
  stack[0] = makeList(call);
}

static void outProjResidualGrad(TorchInterface::Value *stack, uint64_t,
                                uint64_t) {
  Call call(3, "out_proj_residual_grad");
  const char *const names[] = {"dy", "attn", "w"};
  for (size_t i = 0; i < 3; ++i)
    call.add(names[i], stack[i]);
  int64_t flags = readFlags(stack + 3);
  if (flags) {
    call.describe({3, 3, 2});
    call.run({call[2].getExtent(0), call[2].getExtent(1), flags});
  }
  stack[0] = makeList(call);
}

/// Registers the kernels for a dispatch key, as in "CPU".
static void registerKernels(const char *key) {
  void *library = nullptr; // Deleting it would undo the registrations.
  checkTorch(kernels->torch.libraryInitImpl("boostr", key, __FILE__, __LINE__,
                                            &library));
  constexpr std::pair<const char *, TorchInterface::Kernel> ops[] = {
      {"fused_qkv", fusedQkv},
      {"fused_qkv_grad", fusedQkvGrad},
      {"fused_qkv_separate", fusedQkvSeparate},
      {"fused_qkv_separate_grad", fusedQkvSeparateGrad},
      {"out_proj_residual", outProjResidual},
      {"out_proj_residual_grad", outProjResidualGrad}};
  // The version of the interface that is meant, 2.10.
  constexpr uint64_t version = uint64_t(2) << 56 | uint64_t(10) << 48;
  for (auto [op, kernel] : ops)
    checkTorch(kernels->torch.libraryImpl(library, op, kernel, version));
}

static std::vector<std::string> defineKernels(nb::object findFunction,
                                              nb::object findContext) {
  if (kernels)
    throw std::runtime_error("the kernels were registered before");
  auto torch = TorchInterface::load();
  if (!torch)
    return {};
  kernels = new Kernels{
      *torch, std::move(findFunction), std::move(findContext), {}, {}};
  std::vector<std::string> keys = {"CPU"};
  if (torch->getCudaStream)
    keys.push_back("CUDA");
  for (const std::string &key : keys)
    registerKernels(key.c_str());
  return keys;
}

void boostr_python::defineTorchOps(nb::module_ &module) {
  module.def("register_torch_kernels", &defineKernels, "find_function"_a,
             "find_context"_a,
             "Registers kernels of torch.ops.boostr.*, and returns for which "
             "dispatch keys: none if PyTorch is too old for that.");
}
