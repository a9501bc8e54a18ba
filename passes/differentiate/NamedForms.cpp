// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/differentiate/NamedForms.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

/// The position in `map` of each dimension that `resultMap` writes by, -1 for
/// those that `map` has not.
static SmallVector<int64_t> getPositions(AffineMap resultMap, AffineMap map) {
  SmallVector<int64_t> positions;
  for (AffineExpr dim : resultMap.getResults()) {
    std::optional<unsigned> position = map.getResultPosition(dim);
    positions.push_back(position ? static_cast<int64_t>(*position) : -1);
  }
  return positions;
}

/// A generic that copies elements of one input to other places.
static Value createCopyForm(OpBuilder &builder, linalg::GenericOp generic) {
  Location loc = generic.getLoc();
  Operation *yield = generic.getBody()->getTerminator();
  auto copied = dyn_cast<BlockArgument>(yield->getOperand(0));
  if (!copied || copied.getOwner() != generic.getBody() ||
      copied.getArgNumber() >= generic.getNumDpsInputs())
    return {};
  Value source = generic.getDpsInputs()[copied.getArgNumber()];
  Value init = generic.getOutputs()[0];
  AffineMap sourceMap = generic.getIndexingMapsArray()[copied.getArgNumber()];
  AffineMap resultMap = generic.getIndexingMapsArray().back();
  if (!isa<RankedTensorType>(source.getType()) ||
      !sourceMap.isProjectedPermutation() || !resultMap.isPermutation())
    return {};

  if (sourceMap == resultMap) {
    if (source.getType() == init.getType())
      return source;
    return tensor::CastOp::create(builder, loc, init.getType(), source);
  }
  SmallVector<int64_t> positions = getPositions(resultMap, sourceMap);
  if (sourceMap.isPermutation())
    return linalg::TransposeOp::create(builder, loc, source, init, positions)
        ->getResult(0);
  SmallVector<int64_t> kept, added;
  for (auto [dim, position] : llvm::enumerate(positions)) {
    if (position >= 0)
      kept.push_back(position);
    else
      added.push_back(dim);
  }
  if (!llvm::is_sorted(kept))
    return {};
  return linalg::BroadcastOp::create(builder, loc, source, init, added)
      ->getResult(0);
}

/// The input whose element `value` is, possibly extended; null if it is none.
static BlockArgument getExtendedInput(linalg::GenericOp generic, Value value) {
  if (auto extension = value.getDefiningOp<arith::ExtFOp>())
    value = extension.getIn();
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != generic.getBody() ||
      argument.getArgNumber() >= generic.getNumDpsInputs())
    return {};
  return argument;
}

/// linalg.contract wants each dimension in both inputs, or in one and the
/// output, or in all three, and at least one that is contracted.
static bool areContractionMaps(ArrayRef<AffineMap> maps) {
  if (!llvm::all_of(maps,
                    [](AffineMap map) { return map.isProjectedPermutation(); }))
    return false;
  bool contracts = false;
  for (unsigned dim = 0; dim < maps[0].getNumDims(); ++dim) {
    unsigned inputs =
        maps[0].isFunctionOfDim(dim) + maps[1].isFunctionOfDim(dim);
    bool inOutput = maps[2].isFunctionOfDim(dim);
    if (inputs == 0 || (inputs == 1 && !inOutput))
      return false;
    contracts |= !inOutput;
  }
  return contracts;
}

/// A generic that sums products of two inputs.
static Value createContractForm(OpBuilder &builder, linalg::GenericOp generic) {
  Block *body = generic.getBody();
  auto sum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || generic.getNumDpsInputs() != 2 ||
      sum.getLhs() != body->getArguments().back())
    return {};
  auto product = sum.getRhs().getDefiningOp<arith::MulFOp>();
  // The op has no flags of fast arithmetic to give.
  if (!product || product.getFastmath() != arith::FastMathFlags::none)
    return {};
  BlockArgument lhs = getExtendedInput(generic, product.getLhs());
  BlockArgument rhs = getExtendedInput(generic, product.getRhs());
  if (!lhs || !rhs || lhs == rhs)
    return {};
  SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
  maps = {maps[lhs.getArgNumber()], maps[rhs.getArgNumber()], maps[2]};
  if (!areContractionMaps(maps))
    return {};
  SmallVector<Value> inputs = {generic.getInputs()[lhs.getArgNumber()],
                               generic.getInputs()[rhs.getArgNumber()]};
  if (!llvm::all_of(inputs, [](Value input) {
        return isa<RankedTensorType>(input.getType());
      }))
    return {};
  return linalg::ContractOp::create(
             builder, generic.getLoc(), generic.getResultTypes(), inputs,
             generic.getOutputs(), builder.getAffineMapArrayAttr(maps))
      ->getResult(0);
}

Value mlir::boostr::replaceByNamedForm(OpBuilder &builder,
                                       linalg::GenericOp generic) {
  Value replacement = createCopyForm(builder, generic);
  if (!replacement)
    replacement = createContractForm(builder, generic);
  if (!replacement)
    return generic.getResult(0);
  generic.erase();
  return replacement;
}
