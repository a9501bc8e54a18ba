// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// About how long a kernel of simt or mma takes, to choose the size of its
// blocks and in how many parts along k they are cut: when it is compiled, as
// far as extents are known then, and when it is launched.

#ifndef BOOSTR_PASSES_GPU_BLOCKCOST_H
#define BOOSTR_PASSES_GPU_BLOCKCOST_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/passes/gpu/CostMath.h"

namespace mlir::boostr {

/// The time of a kernel, and the number of parts that it is for.
template <typename Number> struct BlockEstimate {
  Number time, parts;
};

/// Estimates
///
///   max(rounds * each, least) * steps / parts + what exchanging sums takes
///
/// where a multiprocessor computes so many rounds of blocks, for each of some
/// numbers of parts up to `split` of the tile, and returns the least. `blocks`
/// is how many blocks there are, `steps` how many steps of k in all terms.
template <typename Math>
BlockEstimate<typename Math::Number>
estimateBlocks(Math math, GpuTileAttr tile,
               const SegmentedContraction &contraction,
               typename Math::Number blocks, typename Math::Number steps);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_BLOCKCOST_H
