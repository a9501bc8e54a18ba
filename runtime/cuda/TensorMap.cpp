// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tensor maps, the descriptions of tensors that the copy engine of sm_90 reads.

#include "boostr/runtime/Invocation.h"
#include "boostr/runtime/cuda/Run.h"

#include <cstring>
#include <type_traits>

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

namespace {
constexpr int32_t maxRank = 5;
constexpr size_t mapBytes = 128;

/// The arguments of boostr_cuda_encode_tensor_map.
struct Layout {
  int32_t element;
  int32_t rank;
  void *address;
  const int64_t *extents;
  const int64_t *strides;
  const int32_t *box;
  int32_t swizzle;
};
} // namespace

static bool isEmpty(const Layout &layout) {
  for (int32_t i = 0; i < layout.rank; ++i)
    if (layout.extents[i] == 0)
      return true;
  return false;
}

static CUresult encode(const Driver &driver, void *map, const Layout &layout) {
  uint64_t extents[maxRank], strides[maxRank];
  uint32_t box[maxRank], steps[maxRank];
  for (int32_t i = 0; i < layout.rank; ++i) {
    extents[i] = static_cast<uint64_t>(layout.extents[i]);
    box[i] = static_cast<uint32_t>(layout.box[i]);
    steps[i] = 1;
  }
  for (int32_t i = 0; i + 1 < layout.rank; ++i)
    strides[i] = static_cast<uint64_t>(layout.strides[i]);
  return driver.cuTensorMapEncodeTiled(
      map, layout.element, static_cast<unsigned>(layout.rank), layout.address,
      extents, strides, box, steps, /*interleave=*/0, layout.swizzle,
      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, /*oobFill=*/0);
}

/// All that the driver makes a map of.
namespace {
struct Key {
  CUdevice device;
  int32_t element, rank, swizzle;
  void *address;
  int64_t extents[maxRank], strides[maxRank];
  int32_t box[maxRank];
  int32_t padding;
};

struct KnownMap {
  Key key;
  alignas(64) unsigned char map[mapBytes];
};

/// The maps of late calls: calls on the same tensors repeat, and need not ask
/// the driver again.
class KnownMaps {
public:
  /// Sets `map` to that of this key, or to where it is to be put; true if it is
  /// there.
  bool find(const Key &key, KnownMap *&map) {
    Set &set = sets[hash(key) % numSets];
    for (KnownMap &known : set.maps)
      if (std::memcmp(&known.key, &key, sizeof(key)) == 0) {
        map = &known;
        return true;
      }
    map = &set.maps[set.oldest++ % numWays];
    return false;
  }

private:
  // Several places for each key: with one, two tensors of a call would displace
  // each other at each call.
  static constexpr size_t numSets = 16, numWays = 8;
  struct Set {
    KnownMap maps[numWays];
    uint32_t oldest;
  };

  /// Of what tells the tensors of a program apart.
  static uint64_t hash(const Key &key) {
    uint64_t sum =
        reinterpret_cast<uintptr_t>(key.address) * 0x9e3779b97f4a7c15u +
        static_cast<uint64_t>(key.extents[0]) * 0xc2b2ae3d27d4eb4fu +
        static_cast<uint64_t>(key.extents[1]) * 0x165667b19e3779f9u +
        static_cast<uint64_t>(key.box[0]) * 0x27d4eb2f165667c5u +
        static_cast<uint64_t>(key.box[1]) * 0x85ebca77c2b2ae63u;
    return sum >> 32;
  }

  Set sets[numSets];
};
} // namespace

static_assert(sizeof(Key) % sizeof(uint64_t) == 0 &&
                  std::has_unique_object_representations_v<Key>,
              "compared byte by byte");

static Key makeKey(const Layout &layout, CUdevice device) {
  Key key;
  std::memset(&key, 0, sizeof(key));
  key.device = device;
  key.element = layout.element;
  key.rank = layout.rank;
  key.swizzle = layout.swizzle;
  key.address = layout.address;
  for (int32_t i = 0; i < layout.rank; ++i) {
    key.extents[i] = layout.extents[i];
    key.box[i] = layout.box[i];
  }
  for (int32_t i = 0; i + 1 < layout.rank; ++i)
    key.strides[i] = layout.strides[i];
  return key;
}

static boostr_status failToEncode(const Driver &driver, CUresult result,
                                  const Layout &layout) {
  int64_t box[maxRank];
  for (int32_t i = 0; i < layout.rank; ++i)
    box[i] = layout.box[i];
  Message message{};
  describe(message, driver, "cuTensorMapEncodeTiled", result);
  (message << ", for element type " << int64_t{layout.element} << " at ")
      .address(reinterpret_cast<uintptr_t>(layout.address));
  (message << ", extents ").list(layout.extents, layout.rank, false);
  (message << ", strides ").list(layout.strides, layout.rank - 1, false);
  (message << ", box ").list(box, layout.rank, false);
  return fail(statusOf(result),
              message << ", swizzle " << int64_t{layout.swizzle});
}

void boostr_cuda_encode_tensor_map(void *map, int32_t element, int32_t rank,
                                   void *address, const int64_t *extents,
                                   const int64_t *strides, const int32_t *box,
                                   int32_t swizzle) noexcept {
  Frame *frame = enterFromCode("boostr_cuda_encode_tensor_map");
  if (!frame)
    return;
  const Driver &driver = frame->invocation.run->current.driver;
  const Layout layout{element, rank, address, extents, strides, box, swizzle};
  if (rank < 1 || rank > maxRank)
    leave(*frame,
          fail(BOOSTR_INTERNAL,
               Message{} << "rank of a tensor map: expected 1 to "
                         << int64_t{maxRank} << ", got " << int64_t{rank}));
  // The driver refuses those.
  if (isEmpty(layout)) {
    std::memset(map, 0, mapBytes);
    return;
  }
  static thread_local KnownMaps knownMaps;
  Key key = makeKey(layout, frame->invocation.run->current.device);
  KnownMap *known;
  if (!knownMaps.find(key, known)) {
    // Of rank 0, as where nothing was put yet: no layout has it.
    known->key = Key();
    if (CUresult result = encode(driver, known->map, layout))
      leave(*frame, failToEncode(driver, result, layout));
    known->key = key;
  }
  std::memcpy(map, known->map, mapBytes);
}
