// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How packed operands lie. The register tile multiplies `rows` of one operand
// with `columns` of the other:
//
//   rows      panel[k / (L*v)][r][k % (L*v)]   each row's steps in chunks of
//   one
//                                              vector register: elements to
//                                              broadcast, or rows of an AMX
//                                              tile
//   columns   panel[k / v][c][k % v]           for each step a vector of
//                                              columns, with v steps together
//
// L is the number of lanes and v the number of steps that one lane holds: 1, or
// 2 where an instruction adds the products of pairs (bf16 with AMX). A panel
// has `width` rows or columns; those past the end of the array repeat its last,
// and steps past the end of a block are zero up to a whole chunk.

#ifndef BOOSTR_PASSES_CPU_PANELFORMAT_H
#define BOOSTR_PASSES_CPU_PANELFORMAT_H

#include "boostr/passes/cpu/IndexMath.h"

namespace mlir::boostr::cpu {

/// Which side of the register tile a panel is for.
enum class PanelSide { Rows, Columns };

struct PanelFormat {
  PanelSide side;
  /// Rows or columns of a panel, and steps of k that it has room for.
  int64_t width, steps;
  int64_t lanes, stepsPerLane;
  Type elementType;

  /// Steps of k that belong together: panels are filled up to a multiple.
  int64_t chunk() const { return lanes * stepsPerLane; }
  /// Elements of a panel, and bytes of one.
  int64_t size() const { return width * steps; }
  int64_t elementBytes() const {
    return llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8u);
  }
  /// Panels that hold `extent` rows or columns of a block, with room for the
  /// rest of the last vector of them.
  int64_t countPanels(int64_t extent) const {
    int64_t filled = llvm::divideCeil(extent, width) * width;
    return llvm::divideCeil(llvm::alignTo(filled, lanes), width);
  }
  OpFoldResult countPanels(ImplicitLocOpBuilder &b, OpFoldResult extent) const;

  /// Where row or column `index` of a block begins.
  Value getOffset(ImplicitLocOpBuilder &b, Value index) const;
  /// Where panel `number` begins, if the first does at `first`.
  Value getPanel(ImplicitLocOpBuilder &b, OpFoldResult first,
                 Value number) const;
  /// Elements between a chunk of steps and the next.
  int64_t chunkStride() const { return width * chunk(); }
};

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_PANELFORMAT_H
