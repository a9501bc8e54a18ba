// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole ops by artifacts of boostr-compile, through the checked entry, with
// weights as they lie or packed by the artifact's own function.

#include "Contender.h"
#include "boostr/runtime/boostr_runtime.h"

#include <cstring>
#include <dlfcn.h>
#include <stdexcept>

using namespace bench;

namespace {

void check(boostr_status status) {
  if (status != BOOSTR_OK)
    throw std::runtime_error(boostr_last_error());
}

struct Context {
  explicit Context(int threads) {
    boostr_context_options options = {};
    options.num_threads = threads;
    check(boostr_context_create(&options, &context));
  }
  ~Context() { boostr_context_destroy(context); }
  boostr_context *context = nullptr;
};

DLDataType elementType(Type type) {
  return {uint8_t(type == Type::BF16 ? kDLBfloat : kDLFloat),
          uint8_t(bytesOf(type) * 8), 1};
}

/// Tensors in the order of a function's arguments and results.
class Tensors {
public:
  explicit Tensors(Type type) : type(elementType(type)) {}
  void add(const void *data, std::vector<int64_t> shape) {
    add(data, std::move(shape), type);
  }
  void add(const void *data, std::vector<int64_t> shape, DLDataType type) {
    shapes.push_back(std::make_unique<std::vector<int64_t>>(std::move(shape)));
    tensors.push_back(
        std::make_unique<DLTensor>(DLTensor{const_cast<void *>(data),
                                            {kDLCPU, 0},
                                            int32_t(shapes.back()->size()),
                                            type,
                                            shapes.back()->data(),
                                            nullptr,
                                            0}));
    pointers.push_back(tensors.back().get());
  }
  DLTensor &operator[](size_t i) { return *tensors[i]; }
  const DLTensor *const *data() const { return pointers.data(); }
  int32_t size() const { return int32_t(pointers.size()); }

private:
  DLDataType type;
  std::vector<std::unique_ptr<std::vector<int64_t>>> shapes;
  std::vector<std::unique_ptr<DLTensor>> tensors;
  std::vector<const DLTensor *> pointers;
};

/// A shared object, and the functions in it.
class Artifact {
public:
  explicit Artifact(const std::string &path)
      : library(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!library)
      throw std::runtime_error(dlerror());
  }
  Artifact(const Artifact &) = delete;
  ~Artifact() { dlclose(library); }
  /// Null if there is none of that name.
  const boostr_function *find(const std::string &name) const {
    return static_cast<const boostr_function *>(
        dlsym(library, (name + "_function").c_str()));
  }

private:
  void *library;
};

class BoostrRunner final : public Runner {
public:
  BoostrRunner(std::shared_ptr<Context> context, Data &data,
               std::unique_ptr<Artifact> artifact, bool prepack)
      : context(std::move(context)), data(data), artifact(std::move(artifact)),
        function(this->artifact->find(data.c.op + (prepack ? "_packed" : ""))),
        inputs(data.c.type), outputs(data.c.type) {
    if (!function)
      throw std::runtime_error("the artifact has no function of that name");
    if (prepack)
      pack();
    if (data.c.isForward())
      addForward();
    else
      addGradient();
  }
  void run(size_t copy) override {
    inputs[weight].data = packed.empty() ? const_cast<void *>(data.weight(copy))
                                         : packed[copy % packed.size()].data();
    check(boostr_call(context->context, function, inputs.data(), inputs.size(),
                      outputs.data(), outputs.size()));
  }

private:
  void addWeight() {
    weight = size_t(inputs.size());
    if (packed.empty())
      inputs.add(data.weight(0), {data.c.n(), data.c.k()});
    else
      inputs.add(packed[0].data(), {int64_t(packed[0].size())}, bytes);
  }
  /// Packs the weight, as often as there are copies of it.
  void pack() {
    const boostr_function *packer = artifact->find(data.c.op + "_pack_weight");
    if (!packer)
      throw std::runtime_error("the artifact has no function that packs");
    Tensors plain(data.c.type), result(data.c.type);
    plain.add(data.weight(0), {data.c.n(), data.c.k()});
    int64_t size = 0;
    check(boostr_output_shapes(packer, plain.data(), 1, &size));
    for (int i = 0; i < data.copies; ++i)
      packed.emplace_back(size_t(size));
    result.add(packed[0].data(), {size}, bytes);
    check(boostr_call(context->context, packer, plain.data(), 1, result.data(),
                      1));
    for (Buffer &copy : packed)
      if (copy.data() != packed[0].data())
        std::memcpy(copy.data(), packed[0].data(), size_t(size));
  }
  void addForward() {
    const Case &c = data.c;
    inputs.add(data.x.data(), {1, c.m(), c.k()});
    addWeight();
    if (c.bias)
      inputs.add(data.bias.data(), {c.n()});
    if (!c.isQkv()) {
      inputs.add(data.residual.data(), {1, c.m(), c.n()});
      outputs.add(data.y.data(), {1, c.m(), c.n()});
      return;
    }
    for (int i = 0; i < 3; ++i)
      outputs.add(data.heads[i].data(), {1, data.headsOf(i), c.m(), c.headDim});
  }
  void addGradient() {
    const Case &c = data.c;
    if (!c.isQkv())
      inputs.add(data.dy.data(), {1, c.m(), c.n()});
    for (int i = 0; c.isQkv() && i < 3; ++i)
      inputs.add(data.dHeads[i].data(), {1, data.headsOf(i), c.m(), c.headDim});
    inputs.add(data.x.data(), {1, c.m(), c.k()});
    addWeight();
    if (c.wants("input"))
      outputs.add(data.dx.data(), {1, c.m(), c.k()});
    if (c.wants("weight"))
      outputs.add(data.dw.data(), {c.n(), c.k()});
    if (c.wants("bias"))
      outputs.add(data.db.data(), {c.n()});
  }

  static constexpr DLDataType bytes = {kDLInt, 8, 1};
  std::shared_ptr<Context> context;
  Data &data;
  std::unique_ptr<Artifact> artifact;
  const boostr_function *function;
  Tensors inputs, outputs;
  std::vector<Buffer> packed;
  size_t weight = 0;
};

} // namespace

void bench::addBoostr(const Plan &plan, std::vector<Contender> &out,
                      Versions &) {
  auto context = std::make_shared<Context>(plan.threads);
  auto make = [context](Data &data, bool prepack) -> std::unique_ptr<Runner> {
    auto artifact = std::make_unique<Artifact>(data.c.module);
    if (prepack && !artifact->find(data.c.op + "_packed"))
      return nullptr;
    return std::make_unique<BoostrRunner>(context, data, std::move(artifact),
                                          prepack);
  };
  out.push_back({"boostr", [make](Data &data) { return make(data, false); }});
  out.push_back(
      {"boostr_prepacked", [make](Data &data) { return make(data, true); }});
}
