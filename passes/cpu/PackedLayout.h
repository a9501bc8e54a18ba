// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights packed ahead of time (`#boostr.packed_layout`): which layout a
// contraction wants, and code that packs into it and finds its way in it.

#ifndef BOOSTR_PASSES_CPU_PACKEDLAYOUT_H
#define BOOSTR_PASSES_CPU_PACKEDLAYOUT_H

#include "boostr/dialect/BoostrOps.h"
#include "boostr/passes/cpu/PanelFormat.h"

namespace mlir::boostr::cpu {

/// The layout of the panels of rhs that the tasks of `contraction` multiply
/// when it is blocked by `tile`. `array` is the type of rhs, of static shape,
/// as a tensor.
PackedLayoutAttr getPackedLayout(const SegmentedContraction &contraction,
                                 RankedTensorType array, CpuTileAttr tile);

PanelFormat getPanelFormat(PackedLayoutAttr layout);

/// The panels in `bytes`, behind the header, as flat memory.
Value createPanelView(ImplicitLocOpBuilder &b, Value bytes,
                      PackedLayoutAttr layout);

/// Where the panels of a block of rows or columns begin for a block of steps.
Value getPackedBlockOffset(ImplicitLocOpBuilder &b, PackedLayoutAttr layout,
                           OpFoldResult block, OpFoldResult steps);

/// Emits what packs the array of an op in buffer form, in parallel.
void emitPackArray(ImplicitLocOpBuilder &b, PackArrayOp op);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_PACKEDLAYOUT_H
