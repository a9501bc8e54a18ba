// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products by OpenBLAS, from the library that scipy-openblas32 packs.

#include "Contender.h"

#include <dlfcn.h>
#include <stdexcept>

using namespace bench;

namespace {

// Of cblas.h, whose names the package prefixes.
constexpr int rowMajor = 101, noTranspose = 111, transpose = 112;
template <typename T>
using Gemm = void (*)(int, int, int, int, int, int, T, const T *, int,
                      const T *, int, T, T *, int);

struct Library {
  Gemm<float> sgemm = nullptr;
  Gemm<double> dgemm = nullptr;
};
Library library;

template <typename T>
void multiply(Gemm<T> gemm, bool transposeA, bool transposeB, int64_t m,
              int64_t n, int64_t k, const void *a, const void *b, void *c) {
  gemm(rowMajor, transposeA ? transpose : noTranspose,
       transposeB ? transpose : noTranspose, int(m), int(n), int(k), T(1),
       static_cast<const T *>(a), int(transposeA ? m : k),
       static_cast<const T *>(b), int(transposeB ? k : n), T(0),
       static_cast<T *>(c), int(n));
}

template <typename T> class BlasRunner final : public Runner {
public:
  BlasRunner(Gemm<T> gemm, Data &data) : gemm(gemm), data(data) {}
  void run(size_t copy) override {
    const Case &c = data.c;
    int64_t m = c.m(), n = c.n(), k = c.k();
    if (c.isForward())
      multiply<T>(gemm, false, true, m, n, k, data.x.data(), data.weight(copy),
                  data.y.data());
    if (c.wants("input"))
      multiply<T>(gemm, false, false, m, k, n, data.dy.data(),
                  data.weight(copy), data.dx.data());
    if (c.wants("weight"))
      multiply<T>(gemm, true, false, n, k, m, data.dy.data(), data.x.data(),
                  data.dw.data());
  }
  bool isProduct() const override { return true; }
  bool addsBias() const override { return false; }

private:
  Gemm<T> gemm;
  Data &data;
};

template <typename Function> Function find(void *handle, const char *name) {
  void *symbol = dlsym(handle, name);
  if (!symbol)
    throw std::runtime_error(dlerror());
  return reinterpret_cast<Function>(symbol);
}

} // namespace

void bench::multiplyF64(bool transposeA, bool transposeB, int64_t m, int64_t n,
                        int64_t k, const double *a, const double *b,
                        double *c) {
  multiply<double>(library.dgemm, transposeA, transposeB, m, n, k, a, b, c);
}

void bench::addOpenBlas(const Plan &plan, std::vector<Contender> &out,
                        Versions &versions) {
  // NumPy brings an OpenBLAS too: neither may take the other's functions.
  void *handle = dlopen(plan.openblas.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw std::runtime_error(dlerror());
  library.sgemm = find<Gemm<float>>(handle, "scipy_cblas_sgemm");
  library.dgemm = find<Gemm<double>>(handle, "scipy_cblas_dgemm");
  auto text = [&](const char *name) {
    return find<const char *(*)()>(handle, name)();
  };
  versions.emplace_back("openblas", text("scipy_openblas_get_config"));
  versions.emplace_back("openblas_kernels",
                        text("scipy_openblas_get_corename"));
  out.push_back(
      {"openblas", [](Data &data) -> std::unique_ptr<Runner> {
         if (data.c.type == Type::F32)
           return std::make_unique<BlasRunner<float>>(library.sgemm, data);
         if (data.c.type == Type::F64)
           return std::make_unique<BlasRunner<double>>(library.dgemm, data);
         return nullptr;
       }});
}
