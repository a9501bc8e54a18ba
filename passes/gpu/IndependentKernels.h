// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of one op that need nothing of each other may run at the same time:
// the later ones begin where the first leaves room ("programmatic dependent
// launch", CUDA programming guide).
//
//   first   launch_dependents ........ products ...
//   later           ........ products ............. wait
//
// The first is an ordinary launch: when it runs, whatever the op needs is
// there. A later one waits at its end, so that what comes after it in the
// stream comes after all.

#ifndef BOOSTR_PASSES_GPU_INDEPENDENTKERNELS_H
#define BOOSTR_PASSES_GPU_INDEPENDENTKERNELS_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir::boostr {

/// Whether kernels can do this on `target`, that is from sm_90 on.
bool canRunTogether(GpuTargetAttr target);

/// Whether `op` has several kernels that may, as far as is known before these
/// are generated.
bool mayRunTogether(SegmentedContractionOpInterface op);

/// Whether the kernel of contraction `number` of `op` leaves room for a later
/// one of these. Then its blocks share no tiles: that would occupy what the
/// later one can use.
bool leavesRoom(SegmentedContractionOpInterface op, unsigned number);

/// Adds to the bodies of all kernels that are launched from `first` up to
/// `end`, operations of one block, what lets them run with others: with later
/// ones, with earlier ones, or both.
void letRunTogether(Block::iterator first, Block::iterator end, bool withLater,
                    bool withEarlier);

/// In the metadata of a kernel in a `gpu.binary`, if it runs with earlier ones.
inline constexpr StringLiteral kRunsWithEarlierName = "runs_with_earlier";

/// Whether `kernel` was made to run with earlier ones.
bool runsWithEarlier(LLVM::LLVMFuncOp kernel);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_INDEPENDENTKERNELS_H
