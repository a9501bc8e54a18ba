// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Results in f64, and what deviation from them is tolerated.

#include "Contender.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

using namespace bench;

static std::vector<double> asF64(const void *data, Type type, int64_t size) {
  std::vector<double> result(static_cast<size_t>(size));
  toF64(data, type, size, result.data());
  return result;
}

/// OpenBLAS has had kernels that were wrong on CPUs it did not know: compares
/// some elements with sums of our own.
static void
checkSamples(const char *what, const std::vector<double> &result,
             int64_t columns, int64_t depth,
             const std::function<double(int64_t, int64_t, int64_t)> &term) {
  std::mt19937_64 engine(7);
  for (int i = 0; i < 64; ++i) {
    int64_t at = int64_t(engine() % result.size());
    double sum = 0, size = 0;
    for (int64_t p = 0; p < depth; ++p) {
      double t = term(at / columns, at % columns, p);
      sum += t;
      size += std::abs(t);
    }
    if (!(std::abs(sum - result[size_t(at)]) <= 1e-13 * size))
      throw std::runtime_error(std::string("OpenBLAS' f64 ") + what +
                               " is wrong");
  }
}

Reference::Reference(const Data &data) {
  const Case &c = data.c;
  int64_t m = c.m(), n = c.n(), k = c.k();
  std::vector<double> x = asF64(data.x.data(), c.type, m * k);
  std::vector<double> w;
  if (c.isForward() || c.wants("input"))
    w = asF64(data.weight(0), c.type, n * k);
  if (c.isForward()) {
    product.resize(size_t(m * n));
    multiplyF64(false, true, m, n, k, x.data(), w.data(), product.data());
    checkSamples("product", product, n, k, [&](auto i, auto j, auto p) {
      return x[size_t(i * k + p)] * w[size_t(j * k + p)];
    });
    if (data.bias.size())
      bias = asF64(data.bias.data(), c.type, n);
    if (data.residual.size())
      residual = asF64(data.residual.data(), c.type, m * n);
    return;
  }
  std::vector<double> dy = asF64(data.dy.data(), c.type, m * n);
  if (c.wants("input")) {
    dx.resize(size_t(m * k));
    multiplyF64(false, false, m, k, n, dy.data(), w.data(), dx.data());
    checkSamples("input gradient", dx, k, n, [&](auto i, auto j, auto p) {
      return dy[size_t(i * n + p)] * w[size_t(p * k + j)];
    });
  }
  if (c.wants("weight")) {
    dw.resize(size_t(n * k));
    multiplyF64(true, false, n, k, m, dy.data(), x.data(), dw.data());
    checkSamples("weight gradient", dw, k, m, [&](auto i, auto j, auto p) {
      return dy[size_t(p * n + i)] * x[size_t(p * k + j)];
    });
  }
  if (c.wants("bias")) {
    db.assign(size_t(n), 0);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        db[size_t(j)] += dy[size_t(i * n + j)];
  }
}

/// Largest |got - expected| over 3 roundings of the result and what the sum of
/// products, of root mean square s, may have lost in f32 (or f64).
static double compare(const char *what, const Case &c,
                      const std::vector<double> &got,
                      const std::vector<double> &expected) {
  double squares = 0;
  for (double value : expected)
    squares += value * value;
  double scale = std::sqrt(squares / double(expected.size()));
  double sums = c.type == Type::F64 ? 1e-12 : 1e-4;
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    double tolerated =
        3 * roundoff(c.type) * std::abs(expected[i]) + sums * scale;
    double ratio = std::abs(got[i] - expected[i]) / tolerated;
    if (!(ratio <= 1)) // NaN too.
      throw std::runtime_error(std::string(what) + " is wrong at element " +
                               std::to_string(i) + ": expected " +
                               std::to_string(expected[i]) + ", got " +
                               std::to_string(got[i]));
    worst = std::max(worst, ratio);
  }
  return worst;
}

double Reference::check(const Runner &runner, const Data &data) const {
  const Case &c = data.c;
  int64_t m = c.m(), n = c.n(), k = c.k();
  if (c.isForward()) {
    std::vector<double> expected = product, got(size_t(m * n));
    for (size_t i = 0; i < expected.size(); ++i) {
      if (!bias.empty() && (!runner.isProduct() || runner.addsBias()))
        expected[i] += bias[i % size_t(n)];
      if (!residual.empty() && !runner.isProduct())
        expected[i] += residual[i];
    }
    if (c.isQkv() && !runner.isProduct())
      data.flatten(data.heads, got.data());
    else
      toF64(data.y.data(), c.type, m * n, got.data());
    return compare("output", c, got, expected);
  }
  double worst = 0;
  if (!dx.empty())
    worst = std::max(
        worst, compare("d_input", c, asF64(data.dx.data(), c.type, m * k), dx));
  if (!dw.empty())
    worst = std::max(worst, compare("d_weight", c,
                                    asF64(data.dw.data(), c.type, n * k), dw));
  if (!db.empty() && !runner.isProduct())
    worst = std::max(
        worst, compare("d_bias", c, asF64(data.db.data(), c.type, n), db));
  return worst;
}
