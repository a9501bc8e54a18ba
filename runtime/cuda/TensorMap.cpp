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
  /// Where a map of this key is, or is to be put.
  KnownMap &find(const Key &key) {
    uint64_t hash = 0;
    const auto *words = reinterpret_cast<const uint64_t *>(&key);
    for (size_t i = 0; i < sizeof(Key) / sizeof(uint64_t); ++i)
      hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
    return maps[hash >> 58];
  }

private:
  KnownMap maps[64];
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
  KnownMap &known = knownMaps.find(key);
  // One that was never put there has rank 0.
  if (std::memcmp(&known.key, &key, sizeof(key)) != 0) {
    known.key = Key();
    if (CUresult result = encode(driver, known.map, layout))
      leave(*frame, failToEncode(driver, result, layout));
    known.key = key;
  }
  std::memcpy(map, known.map, mapBytes);
}
