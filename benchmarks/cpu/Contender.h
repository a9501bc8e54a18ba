// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What takes part in a benchmark.

#ifndef BOOSTR_BENCHMARKS_CPU_CONTENDER_H
#define BOOSTR_BENCHMARKS_CPU_CONTENDER_H

#include "Tensors.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// A contender made ready for a case.
class Runner {
public:
  virtual ~Runner() = default;
  /// Computes with the copy of the weight, into results of the case's data.
  virtual void run(size_t copy) = 0;
  /// Puts the results of the last run into the data if they are elsewhere.
  virtual void storeResults() {}
  /// Whether it computes the product alone: no bias in the residual's place,
  /// no head layout, no bias gradient.
  virtual bool isProduct() const { return false; }
  /// Whether bias is added although it is a product alone.
  virtual bool addsBias() const { return true; }
  /// False for what measures the machine: nothing is checked.
  virtual bool hasResults() const { return true; }
  /// Operations and bytes of a run if they are not those of the case.
  virtual double flops(const Case &c) const { return c.flops(); }
  virtual double bytes(const Case &c) const { return c.bytes(); }
  /// What ran, in the library's words.
  virtual std::string label() const { return ""; }
};

/// Makes a runner, or none if the contender has nothing for the case.
using MakeRunner = std::function<std::unique_ptr<Runner>(Data &)>;

/// A contender by name, with what identifies its version.
struct Contender {
  std::string name;
  MakeRunner make;
};

/// Names and values for the context of the results.
using Versions = std::vector<std::pair<std::string, std::string>>;

/// Each adds its contenders and says what they are. The threads are those
/// that contenders may use.
void addBoostr(const Plan &plan, std::vector<Contender> &out, Versions &);
void addOpenBlas(const Plan &plan, std::vector<Contender> &out, Versions &);
void addOneDnn(const Plan &plan, std::vector<Contender> &out, Versions &);
void addPython(const Plan &plan, std::vector<Contender> &out, Versions &);
void addPeaks(const Plan &plan, std::vector<Contender> &out, Versions &);

/// Checks results against f64; throws with the place of the first error.
class Reference {
public:
  explicit Reference(const Data &data);
  /// Largest error over what is tolerated.
  double check(const Runner &runner, const Data &data) const;

private:
  std::vector<double> product, bias, residual, dx, dw, db;
};

/// c[m, n] = a * b by OpenBLAS in f64, row-major; a is [m, k] or with
/// `transposeA` [k, m], b is [k, n] or with `transposeB` [n, k].
void multiplyF64(bool transposeA, bool transposeB, int64_t m, int64_t n,
                 int64_t k, const double *a, const double *b, double *c);

} // namespace bench

#endif // BOOSTR_BENCHMARKS_CPU_CONTENDER_H
