// Part of the boostr-mlir project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information. SPDX-License-Identifier:
// Apache-2.0 WITH LLVM-exception
//
// Tiling of the token and head dimensions.

#include "boostr/dialect/BoostrOps.h"

using namespace mlir;
using namespace mlir::boostr;

SmallVector<utils::IteratorType> FusedQKVOp::getLoopIteratorTypes() {
  return {};
}
SmallVector<Range> FusedQKVOp::getIterationDomain(OpBuilder &b) { return {}; }
FailureOr<TilingResult>
FusedQKVOp::getTiledImplementation(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                                   ArrayRef<OpFoldResult> sizes) {
  return failure();
}
LogicalResult FusedQKVOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  return failure();
}
FailureOr<TilingResult>
FusedQKVOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                    ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes) {
  return failure();
}
SmallVector<utils::IteratorType> FusedQKVGradOp::getLoopIteratorTypes() {
  return {};
}
SmallVector<Range> FusedQKVGradOp::getIterationDomain(OpBuilder &b) {
  return {};
}
FailureOr<TilingResult>
FusedQKVGradOp::getTiledImplementation(OpBuilder &b,
                                       ArrayRef<OpFoldResult> offsets,
                                       ArrayRef<OpFoldResult> sizes) {
  return failure();
}
LogicalResult FusedQKVGradOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  return failure();
}
FailureOr<TilingResult>
FusedQKVGradOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                        ArrayRef<OpFoldResult> offsets,
                                        ArrayRef<OpFoldResult> sizes) {
  return failure();
}
SmallVector<utils::IteratorType> OutProjResidualOp::getLoopIteratorTypes() {
  return {};
}
SmallVector<Range> OutProjResidualOp::getIterationDomain(OpBuilder &b) {
  return {};
}
FailureOr<TilingResult>
OutProjResidualOp::getTiledImplementation(OpBuilder &b,
                                          ArrayRef<OpFoldResult> offsets,
                                          ArrayRef<OpFoldResult> sizes) {
  return failure();
}
LogicalResult OutProjResidualOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  return failure();
}
FailureOr<TilingResult>
OutProjResidualOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                           ArrayRef<OpFoldResult> offsets,
                                           ArrayRef<OpFoldResult> sizes) {
  return failure();
}
SmallVector<utils::IteratorType> OutProjResidualGradOp::getLoopIteratorTypes() {
  return {};
}
SmallVector<Range> OutProjResidualGradOp::getIterationDomain(OpBuilder &b) {
  return {};
}
FailureOr<TilingResult>
OutProjResidualGradOp::getTiledImplementation(OpBuilder &b,
                                              ArrayRef<OpFoldResult> offsets,
                                              ArrayRef<OpFoldResult> sizes) {
  return failure();
}
LogicalResult OutProjResidualGradOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  return failure();
}
FailureOr<TilingResult> OutProjResidualGradOp::generateResultTileValue(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes) {
  return failure();
}
