// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the machine can do: multiply-adds on registers alone, and reads of
// memory. Compiled for the machine it runs on.

#include "Contender.h"

#include <cstring>
#include <immintrin.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace bench;

namespace {

/// Runs `work(thread)` on all threads, the calling one among them.
template <typename Work> void onThreads(int threads, Work work) {
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i)
    others.emplace_back(work, i);
  work(0);
  for (std::thread &other : others)
    other.join();
}

/// Keeps a value, and what computed it, from being optimized away.
template <typename T> void keep(T &value) { asm volatile("" : "+x"(value)); }

// A vector as wide as the machine has.
#if defined(__AVX512F__)
constexpr int vectorBytes = 64;
#elif defined(__AVX__)
constexpr int vectorBytes = 32;
#else
constexpr int vectorBytes = 16;
#endif
template <typename T>
using Vector __attribute__((vector_size(vectorBytes))) = T;

/// Multiply-adds of vectors of T.
template <typename T> struct Fma {
  using Sum = Vector<T>;
  using Operand = Vector<T>;
  static constexpr int64_t steps = 1 << 21;
  static constexpr double flops = 2 * (vectorBytes / double(sizeof(T)));
  static Operand make(double value) { return Vector<T>{} + T(value); }
  static Sum multiply(Sum sum, Operand a, Operand b) {
    return __builtin_elementwise_fma(sum, a, b);
  }
  static std::string label() {
    return std::to_string(vectorBytes * 8) + "-bit FMA, registers alone";
  }
};

#if defined(__AVX512BF16__)
/// Each sum takes the products of a pair of bf16.
struct PairDot {
  using Sum = __m512;
  using Operand = __m512bh;
  static constexpr int64_t steps = 1 << 20;
  static constexpr double flops = 2 * 32;
  static Operand make(double value) {
    __m512 number = _mm512_set1_ps(float(value));
    return _mm512_cvtne2ps_pbh(number, number);
  }
  static Sum multiply(Sum sum, Operand a, Operand b) {
    return _mm512_dpbf16_ps(sum, a, b);
  }
  static std::string label() {
    return "AVX512-BF16 dot products, registers alone";
  }
};
#endif

/// How many sums do not wait for each other: enough for a latency of 4 with 2
/// (or 3) units, or 6 with 2, and no more than there are registers.
constexpr int numSums = 12;

/// The instructions of `Unit` in one thread.
template <typename Unit> void multiply(int64_t steps) {
  typename Unit::Sum sum[numSums];
  typename Unit::Operand a = Unit::make(0.999), b = Unit::make(0.001);
  for (int i = 0; i < numSums; ++i)
    sum[i] = typename Unit::Sum{} + float(i);
  keep(a);
  keep(b);
  for (int64_t step = 0; step < steps; ++step) {
#pragma clang loop unroll(full)
    for (int i = 0; i < numSums; ++i)
      sum[i] = Unit::multiply(sum[i], a, b);
#pragma clang loop unroll(full)
    for (int i = 0; i < numSums; ++i)
      keep(sum[i]);
  }
}

template <typename Unit> class RegisterPeak final : public Runner {
public:
  explicit RegisterPeak(int threads) : threads(threads) {}
  void run(size_t) override {
    onThreads(threads, [](int) { multiply<Unit>(Unit::steps); });
  }
  bool hasResults() const override { return false; }
  double flops(const Case &) const override {
    return double(threads) * Unit::steps * numSums * Unit::flops;
  }
  double bytes(const Case &) const override { return 0; }
  std::string label() const override { return Unit::label(); }

private:
  int threads;
};

#if defined(__AMX_BF16__)
struct TileConfig {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {};
  uint8_t rows[16] = {};
};

/// Four tiles of sums from two and two tiles of random numbers: zeros and
/// constants would take less power, and be faster, than what is measured.
void multiplyTiles(const char *numbers, int64_t steps) {
  TileConfig config;
  for (int i = 0; i < 8; ++i) {
    config.rows[i] = 16;
    config.rowBytes[i] = 64;
  }
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, numbers, 64);
  _tile_loadd(5, numbers + 1024, 64);
  _tile_loadd(6, numbers + 2048, 64);
  _tile_loadd(7, numbers + 3072, 64);
  for (int64_t step = 0; step < steps; ++step) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

class AmxPeak final : public Runner {
public:
  explicit AmxPeak(int threads) : threads(threads), numbers(4096) {
    fillNormal(numbers.data(), Type::BF16, 2048, 1, 11);
  }
  void run(size_t) override {
    onThreads(threads, [this](int) {
      multiplyTiles(static_cast<const char *>(numbers.data()), steps);
    });
  }
  bool hasResults() const override { return false; }
  double flops(const Case &) const override {
    return double(threads) * steps * 4 * (16 * 16 * 32 * 2);
  }
  double bytes(const Case &) const override { return 0; }
  std::string label() const override {
    return "AMX bf16 on random numbers, registers alone";
  }

private:
  static constexpr int64_t steps = 1 << 19;
  int threads;
  Buffer numbers;
};
#endif

/// Reads more than the caches hold, each thread a part of it, as `streams`
/// streams at once.
class ReadBandwidth final : public Runner {
public:
  ReadBandwidth(int threads, std::shared_ptr<const Buffer> buffer)
      : threads(threads), buffer(std::move(buffer)) {}
  void run(size_t) override {
    size_t part = buffer->size() / size_t(threads);
    onThreads(threads, [&](int thread) {
      read(static_cast<const char *>(buffer->data()) + size_t(thread) * part,
           part);
    });
  }
  bool hasResults() const override { return false; }
  double flops(const Case &) const override { return 0; }
  double bytes(const Case &) const override { return double(buffer->size()); }
  std::string label() const override {
    return std::to_string(threads) + " threads, " +
           std::to_string(buffer->size() >> 20) + " MiB";
  }

private:
  static void read(const char *data, size_t bytes) {
    constexpr size_t streams = 4, ahead = 4096;
    size_t length = bytes / streams;
    using V = Vector<int64_t>;
    V sum[streams] = {};
    for (size_t at = 0; at < length; at += sizeof(V))
#pragma clang loop unroll(full)
      for (size_t s = 0; s < streams; ++s) {
        const char *from = data + s * length + at;
        __builtin_prefetch(from + ahead, 0, 3);
        sum[s] ^= *reinterpret_cast<const V *>(from);
      }
    for (V &value : sum)
      keep(value);
  }
  int threads;
  std::shared_ptr<const Buffer> buffer;
};

/// Linux grants AMX on request.
bool permitAmx() {
  constexpr long requestPermission = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

} // namespace

void bench::addPeaks(const Plan &plan, std::vector<Contender> &out,
                     Versions &) {
  bool amx = permitAmx();
  int threads = plan.threads;
  out.push_back({"peak", [=](Data &data) -> std::unique_ptr<Runner> {
#if defined(__AMX_BF16__)
                   if (data.c.type == Type::BF16 && amx)
                     return std::make_unique<AmxPeak>(threads);
#endif
#if defined(__AVX512BF16__)
                   if (data.c.type == Type::BF16)
                     return std::make_unique<RegisterPeak<PairDot>>(threads);
#endif
                   if (data.c.type == Type::F64)
                     return std::make_unique<RegisterPeak<Fma<double>>>(
                         threads);
                   // f16 is multiplied as f32.
                   return std::make_unique<RegisterPeak<Fma<float>>>(threads);
                 }});
  size_t bytes =
      size_t(std::max<int64_t>(plan.rotateBytes, 256 << 20)) / (1 << 20) << 20;
  auto buffer = std::make_shared<std::shared_ptr<const Buffer>>();
  auto addRead = [&](const char *name, int readers) {
    out.push_back({name, [=](Data &) -> std::unique_ptr<Runner> {
                     if (!*buffer) {
                       auto filled = std::make_shared<Buffer>(bytes);
                       std::memset(filled->data(), 1, bytes);
                       *buffer = filled;
                     }
                     return std::make_unique<ReadBandwidth>(readers, *buffer);
                   }});
  };
  addRead("read", threads);
  addRead("read_1thread", 1);
}
