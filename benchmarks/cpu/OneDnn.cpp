// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products by oneDNN: bias as its post-op, weights as they lie or prepacked.

#include "Contender.h"

#include <cstdio>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>

using namespace bench;
using dnnl::memory;

namespace {

struct Library {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

memory::data_type dataType(Type type) {
  switch (type) {
  case Type::F32:
    return memory::data_type::f32;
  case Type::F16:
    return memory::data_type::f16;
  case Type::BF16:
    return memory::data_type::bf16;
  default:
    return memory::data_type::undef;
  }
}

/// dst[m, n] = src[m, k] * weights[k, n] + bias, each operand in its layout.
class Matmul {
public:
  /// An operand that lies in memory as it is, or transposed.
  struct Operand {
    void *data;
    bool transposed;
  };
  Matmul(Library &library, Type type, int64_t m, int64_t n, int64_t k,
         Operand src, Operand weights, void *dst, void *bias, bool prepack)
      : library(library) {
    memory::data_type element = dataType(type);
    auto layout = [&](int64_t rows, int64_t columns, bool transposed) {
      return memory::desc({rows, columns}, element,
                          transposed ? memory::format_tag::ba
                                     : memory::format_tag::ab);
    };
    memory::desc srcDesc = layout(m, k, src.transposed),
                 dstDesc = layout(m, n, false), biasDesc = layout(1, n, false);
    plain = layout(k, n, weights.transposed);
    memory::desc any({k, n}, element, memory::format_tag::any);
    const memory::desc &asked = prepack ? any : plain;
    desc = bias ? dnnl::matmul::primitive_desc(library.engine, srcDesc, asked,
                                               biasDesc, dstDesc)
                : dnnl::matmul::primitive_desc(library.engine, srcDesc, asked,
                                               dstDesc);
    matmul = dnnl::matmul(desc);
    arguments = {{DNNL_ARG_SRC, memory(srcDesc, library.engine, src.data)},
                 {DNNL_ARG_WEIGHTS,
                  memory(desc.weights_desc(), library.engine, weights.data)},
                 {DNNL_ARG_DST, memory(dstDesc, library.engine, dst)}};
    if (bias)
      arguments.emplace(DNNL_ARG_BIAS, memory(biasDesc, library.engine, bias));
  }

  size_t weightBytes() const { return desc.weights_desc().get_size(); }
  /// Packs a plain weight as this product wants it.
  void pack(void *from, void *to) {
    memory source(plain, library.engine, from),
        packed(desc.weights_desc(), library.engine, to);
    dnnl::reorder(source, packed).execute(library.stream, source, packed);
    library.stream.wait();
  }
  void run(void *weights) {
    arguments.at(DNNL_ARG_WEIGHTS).set_data_handle(weights);
    matmul.execute(library.stream, arguments);
    library.stream.wait();
  }
  /// With another operand in the place of weights that never changes.
  void run() {
    matmul.execute(library.stream, arguments);
    library.stream.wait();
  }
  std::string implementation() const { return desc.impl_info_str(); }

private:
  Library &library;
  memory::desc plain;
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul matmul;
  std::unordered_map<int, memory> arguments;
};

/// The products of a case. Only products with the weight can be prepacked:
/// that of the weight's gradient has none.
class OneDnnRunner final : public Runner {
public:
  OneDnnRunner(Library &library, Data &data, bool prepack) : data(data) {
    const Case &c = data.c;
    int64_t m = c.m(), n = c.n(), k = c.k();
    void *weight = const_cast<void *>(data.weight(0));
    if (c.isForward())
      withWeight = std::make_unique<Matmul>(
          library, c.type, m, n, k, Matmul::Operand{data.x.data(), false},
          Matmul::Operand{weight, true}, data.y.data(), data.bias.data(),
          prepack);
    if (c.wants("input"))
      withWeight = std::make_unique<Matmul>(
          library, c.type, m, k, n, Matmul::Operand{data.dy.data(), false},
          Matmul::Operand{weight, false}, data.dx.data(), nullptr, prepack);
    if (c.wants("weight"))
      weightGradient = std::make_unique<Matmul>(
          library, c.type, n, k, m, Matmul::Operand{data.dy.data(), true},
          Matmul::Operand{data.x.data(), false}, data.dw.data(), nullptr,
          false);
    if (!prepack)
      return;
    for (int i = 0; i < data.copies; ++i) {
      packed.emplace_back(withWeight->weightBytes());
      if (i == 0)
        withWeight->pack(weight, packed[0].data());
      else
        std::memcpy(packed[size_t(i)].data(), packed[0].data(),
                    packed[0].size());
    }
  }
  void run(size_t copy) override {
    if (withWeight)
      withWeight->run(packed.empty() ? const_cast<void *>(data.weight(copy))
                                     : packed[copy % packed.size()].data());
    if (weightGradient)
      weightGradient->run();
  }
  bool isProduct() const override { return true; }
  std::string label() const override {
    return (withWeight ? withWeight : weightGradient)->implementation();
  }

private:
  Data &data;
  std::unique_ptr<Matmul> withWeight, weightGradient;
  std::vector<Buffer> packed;
};

} // namespace

void bench::addOneDnn(const Plan &plan, std::vector<Contender> &out,
                      Versions &versions) {
  // The wheel's CPU is a SYCL device, which OpenCL's loader finds by this name.
  setenv("OCL_ICD_FILENAMES", plan.openclDriver.c_str(), 1);
  auto library = std::make_shared<Library>();
  const dnnl_version_t *version = dnnl_version();
  versions.emplace_back("onednn", std::to_string(version->major) + "." +
                                      std::to_string(version->minor) + "." +
                                      std::to_string(version->patch));
  auto make = [library](Data &data, bool prepack) -> std::unique_ptr<Runner> {
    const Case &c = data.c;
    if (c.type == Type::F64 || (prepack && !c.isForward() && !c.wants("input")))
      return nullptr;
    try {
      return std::make_unique<OneDnnRunner>(*library, data, prepack);
    } catch (const dnnl::error &error) {
      if (error.status != dnnl_unimplemented)
        throw;
      std::fprintf(stderr,
                   "%s: left out: oneDNN has no such product on this CPU\n",
                   c.name.c_str());
      return nullptr;
    }
  };
  out.push_back({"onednn", [make](Data &data) { return make(data, false); }});
  out.push_back(
      {"onednn_prepacked", [make](Data &data) { return make(data, true); }});
}
