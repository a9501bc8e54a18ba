// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Buffers, random numbers, conversions.

#include "Tensors.h"

#include <cstring>
#include <map>
#include <new>
#include <random>
#include <sys/mman.h>
#include <tuple>

using namespace bench;

Buffer::Buffer(size_t size) : bytes(size) {
  if (size == 0)
    return;
  constexpr size_t page = size_t(2) << 20;
  size_t rounded = (size + page - 1) / page * page;
  memory = std::aligned_alloc(page, rounded);
  if (!memory)
    throw std::bad_alloc();
  madvise(memory, rounded, MADV_HUGEPAGE);
  std::memset(memory, 0, rounded);
}

Buffer::~Buffer() { std::free(memory); }

static float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

static uint16_t toBF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static void store(void *data, Type type, int64_t i, double value) {
  switch (type) {
  case Type::F64:
    static_cast<double *>(data)[i] = value;
    return;
  case Type::F32:
    static_cast<float *>(data)[i] = float(value);
    return;
  case Type::F16:
    static_cast<_Float16 *>(data)[i] = _Float16(value);
    return;
  case Type::BF16:
    static_cast<uint16_t *>(data)[i] = toBF16(float(value));
    return;
  }
}

/// Numbers to take in turn: drawing 25 million for each weight takes longer
/// than to measure it.
static const std::vector<double> &normalNumbers() {
  static const std::vector<double> numbers = [] {
    std::mt19937_64 engine(1);
    std::normal_distribution<double> normal;
    std::vector<double> result(2097143); // A prime: no extent divides it.
    for (double &number : result)
      number = normal(engine);
    return result;
  }();
  return numbers;
}

void bench::fillNormal(void *data, Type type, int64_t size, double deviation,
                       unsigned seed) {
  const std::vector<double> &numbers = normalNumbers();
  size_t next = size_t(seed) * 104729 % numbers.size();
  for (int64_t i = 0; i < size; ++i) {
    store(data, type, i, deviation * numbers[next]);
    next = next + 1 == numbers.size() ? 0 : next + 1;
  }
}

void bench::toF64(const void *data, Type type, int64_t size, double *out) {
  switch (type) {
  case Type::F64:
    std::memcpy(out, data, size_t(size) * sizeof(double));
    return;
  case Type::F32:
    for (int64_t i = 0; i < size; ++i)
      out[i] = static_cast<const float *>(data)[i];
    return;
  case Type::F16:
    for (int64_t i = 0; i < size; ++i)
      out[i] = double(static_cast<const _Float16 *>(data)[i]);
    return;
  case Type::BF16:
    for (int64_t i = 0; i < size; ++i)
      out[i] = fromBits(uint32_t(static_cast<const uint16_t *>(data)[i]) << 16);
    return;
  }
}

/// Copies of a weight; cases of the same extents follow each other and share
/// them.
static std::shared_ptr<const std::vector<Buffer>> getWeights(const Case &c,
                                                             int copies) {
  using Key = std::tuple<int64_t, int64_t, Type>;
  static std::pair<Key, std::shared_ptr<const std::vector<Buffer>>> last;
  Key key{c.n(), c.k(), c.type};
  if (last.second && last.first == key && int(last.second->size()) == copies)
    return last.second;
  last.second.reset();
  size_t bytes = size_t(c.n() * c.k()) * bytesOf(c.type);
  auto weights = std::make_shared<std::vector<Buffer>>();
  for (int i = 0; i < copies; ++i) {
    weights->emplace_back(bytes);
    if (i == 0)
      fillNormal(weights->front().data(), c.type, c.n() * c.k(),
                 1 / std::sqrt(double(c.k())), 2);
    else
      std::memcpy(weights->back().data(), weights->front().data(), bytes);
  }
  last = {key, weights};
  return weights;
}

Data::Data(const Case &c, const Plan &plan) : c(c) {
  size_t element = bytesOf(c.type);
  int64_t m = c.m(), n = c.n(), k = c.k();
  int64_t weightBytes = n * k * int64_t(element);
  copies = int(std::min<int64_t>(
      plan.maxCopies,
      std::max<int64_t>(1,
                        (plan.rotateBytes + weightBytes - 1) / weightBytes)));
  weights = getWeights(c, copies);
  auto normal = [&](int64_t size, unsigned seed) {
    Buffer buffer(size_t(size) * element);
    fillNormal(buffer.data(), c.type, size, 1, seed);
    return buffer;
  };
  auto result = [&](int64_t size) { return Buffer(size_t(size) * element); };
  x = normal(m * k, 3);
  if (c.isForward()) {
    if (c.bias)
      bias = normal(n, 4);
    if (!c.isQkv())
      residual = normal(m * n, 5);
    y = result(m * n);
    for (int i = 0; c.isQkv() && i < 3; ++i)
      heads[i] = result(headsOf(i) * m * c.headDim);
    return;
  }
  dy = normal(m * n, 6);
  int64_t column = 0;
  for (int i = 0; c.isQkv() && i < 3; ++i) {
    dHeads[i] = result(headsOf(i) * m * c.headDim);
    for (int64_t h = 0; h < headsOf(i); ++h, column += c.headDim)
      for (int64_t s = 0; s < m; ++s)
        std::memcpy(static_cast<char *>(dHeads[i].data()) +
                        (h * m + s) * c.headDim * int64_t(element),
                    static_cast<const char *>(dy.data()) +
                        (s * n + column) * int64_t(element),
                    size_t(c.headDim) * element);
  }
  if (c.wants("input"))
    dx = result(m * k);
  if (c.wants("weight"))
    dw = result(n * k);
  if (c.wants("bias"))
    db = result(n);
}

void Data::poisonResults() {
  for (Buffer *buffer : {&y, &heads[0], &heads[1], &heads[2], &dx, &dw, &db})
    if (buffer->size())
      std::memset(buffer->data(), 0xff, buffer->size());
}

void Data::flatten(const Buffer (&from)[3], double *out) const {
  int64_t m = c.m(), n = c.n(), column = 0;
  size_t element = bytesOf(c.type);
  for (int i = 0; i < 3; ++i)
    for (int64_t h = 0; h < headsOf(i); ++h, column += c.headDim)
      for (int64_t s = 0; s < m; ++s)
        toF64(static_cast<const char *>(from[i].data()) +
                  (h * m + s) * c.headDim * int64_t(element),
              c.type, c.headDim, out + s * n + column);
}
