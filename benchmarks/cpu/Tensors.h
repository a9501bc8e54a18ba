// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory of arguments and results, and conversion of elements to and from f64.

#ifndef BOOSTR_BENCHMARKS_CPU_TENSORS_H
#define BOOSTR_BENCHMARKS_CPU_TENSORS_H

#include "Case.h"

#include <memory>

namespace bench {

/// Memory in huge pages where there are some, so that no contender pays for
/// the TLB more than another.
class Buffer {
public:
  Buffer() = default;
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(Buffer &&other) noexcept { swap(other); }
  Buffer &operator=(Buffer &&other) noexcept {
    swap(other);
    return *this;
  }
  void *data() const { return memory; }
  size_t size() const { return bytes; }

private:
  void swap(Buffer &other) {
    std::swap(memory, other.memory);
    std::swap(bytes, other.bytes);
  }
  void *memory = nullptr;
  size_t bytes = 0;
};

/// Fills with normally distributed numbers of the given standard deviation.
/// Numbers repeat after some million, at no distance that extents have.
void fillNormal(void *data, Type type, int64_t size, double deviation,
                unsigned seed);

/// Elements as f64.
void toF64(const void *data, Type type, int64_t size, double *out);

/// Arguments and results of a case; copies of the weight, to be used in turn.
struct Data {
  Data(const Case &c, const Plan &plan);

  const Case &c;
  int copies = 1;
  Buffer x, bias, residual;
  /// Upstream gradient, flat [m, n] and, for fused_qkv_grad, as d_query, d_key
  /// and d_value in head layout.
  Buffer dy, dHeads[3];
  /// The weight, which other cases use too.
  std::shared_ptr<const std::vector<Buffer>> weights;

  /// Results: flat [m, n] for products alone, in head layout for whole ops.
  Buffer y, heads[3], dx, dw, db;

  const void *weight(size_t copy) const {
    return (*weights)[copy % copies].data();
  }
  /// Extents of query, key and value in the order of the weight's rows.
  int64_t headsOf(int segment) const {
    return segment == 0 ? c.heads : c.kvHeads;
  }
  /// Makes every result NaN, so that what is not written is found.
  void poisonResults();
  /// From head layout [heads, m, d] of three arrays to flat [m, n] f64.
  void flatten(const Buffer (&from)[3], double *out) const;
};

} // namespace bench

#endif // BOOSTR_BENCHMARKS_CPU_TENSORS_H
