// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is measured: an op with its extents, element type and contenders.

#ifndef BOOSTR_BENCHMARKS_CPU_CASE_H
#define BOOSTR_BENCHMARKS_CPU_CASE_H

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

enum class Type { F64, F32, F16, BF16 };

size_t bytesOf(Type type);

/// The unit of rounding: half the distance from 1 to the next number.
double roundoff(Type type);

/// An op as a product Y[m, n] = X[m, k] * W[n, k]^T and its gradients.
struct Case {
  /// op/model/type/tokens, the beginning of the names of its benchmarks.
  std::string name;
  std::string op, model;
  Type type = Type::F32;
  /// "input", "weight" and "bias": the gradients wanted; none for a forward op.
  std::vector<std::string> wrt;
  int64_t tokens = 0, hidden = 0, heads = 0, kvHeads = 0, headDim = 0;
  bool bias = false;
  /// The artifact of boostr-compile.
  std::string module;
  std::vector<std::string> contenders;

  bool isQkv() const { return op.rfind("fused_qkv", 0) == 0; }
  bool isForward() const { return wrt.empty(); }
  bool wants(const char *gradient) const;
  int64_t m() const { return tokens; }
  int64_t n() const {
    return isQkv() ? (heads + 2 * kvHeads) * headDim : hidden;
  }
  int64_t k() const { return isQkv() ? hidden : heads * headDim; }
  /// Multiplications and additions of the products.
  double flops() const;
  /// Bytes of operands and results, each once.
  double bytes() const;
};

/// What the driver script asks for: `plan.json`.
struct Plan {
  int threads = 1;
  int minRepetitions = 3, maxRepetitions = 15;
  /// About how long the repetitions of a case may take in all.
  double secondsPerCase = 2;
  /// No case begins later than this; 0 is no limit.
  double seconds = 0;
  /// How long to wait, in all, for other processes to leave the processors.
  double waitSeconds = 0;
  /// Copies of a weight are used in turn until they are larger than this.
  int64_t rotateBytes = 0;
  int maxCopies = 1;
  std::string python, pythonPath, openclDriver, openblas;
  /// The version of ours, for the record.
  std::string commit;
  std::vector<Case> cases;
  static Plan load(const std::string &path);
};

} // namespace bench

#endif // BOOSTR_BENCHMARKS_CPU_CASE_H
