// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/differentiate/StructuredVjp.h"
#include "boostr/dialect/DifferentiableOpInterface.h"
#include "boostr/passes/differentiate/ArithMathRules.h"
#include "boostr/passes/differentiate/NamedForms.h"
#include "boostr/passes/differentiate/ScalarFormula.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace mlir::boostr;
using llvm::BitVector;
using llvm::SmallBitVector;
using utils::IteratorType;

namespace {

/// What a result is of the scalars that the body computes.
struct ResultRole {
  enum Kind {
    Pointwise,  // y[p] = seed
    Sum,        // y = init + sum of seed
    Difference, // y = init - sum of seed
    Extreme     // y = max or min of init and all seeds
  } kind;
  /// The value in the body through which the cotangent enters.
  Value seed;
  /// Which of max and min, for an `Extreme`.
  Extremum extremum;
};

/// Builds the gradients of one op, one input at a time.
class StructuredAdjoint {
public:
  StructuredAdjoint(OpBuilder &builder, const StructuredFunction &function,
                    ArrayRef<Value> cotangents)
      : builder(builder), f(function), loc(function.op->getLoc()),
        cotangents(cotangents) {}

  /// Finds the role of each result; fails with an error where there is none.
  LogicalResult classifyResults();

  /// The gradient of input `index`, null if it is zero.
  FailureOr<Value> createGradient(unsigned index);

private:
  /// What goes into a generic that computes a gradient. Results and winners are
  /// there only in case that the derivative reads them.
  struct Reads {
    SmallVector<Value> values;
    SmallVector<AffineMap> maps;
    unsigned add(Value value, AffineMap map) {
      values.push_back(value);
      maps.push_back(map);
      return values.size() - 1;
    }
  };
  /// Positions in `Reads` of what belongs to one result.
  struct ResultReads {
    unsigned cotangent = 0, result = 0, winner = 0;
  };

  FailureOr<ResultRole> classifyReduction(unsigned result);
  FailureOr<Value> createInitGradient(unsigned result);
  FailureOr<Value> createInputGradient(unsigned input);
  void cloneBody(OpBuilder &nested, IRMapping &values);
  FailureOr<Value> createAdjoint(OpBuilder &nested, unsigned input,
                                 ValueRange args,
                                 ArrayRef<ResultReads> positions);
  Value createSeedAdjoint(OpBuilder &nested, unsigned result, ValueRange args,
                          const ResultReads &positions);
  llvm::DenseSet<Value> getDependents(Value argument);
  FailureOr<BitVector>
  getNeededOperands(Operation &op, const llvm::DenseSet<Value> &dependents);
  Reads collectReads(MutableArrayRef<ResultReads> positions);

  /// The position of a point among those that are reduced into one element.
  Value createPosition(OpBuilder &nested, unsigned result);
  /// For each element of an extremum, the position of the winner, or -1 where
  /// that is the init.
  Value getWinners(unsigned result);
  Value getExtent(unsigned dim);

  Value getTerminatorOperand(unsigned result) {
    return f.body->getTerminator()->getOperand(result);
  }

  OpBuilder &builder;
  const StructuredFunction &f;
  Location loc;
  ArrayRef<Value> cotangents;
  SmallVector<ResultRole> roles;
  llvm::SmallDenseMap<unsigned, Value> winners, extents;
};

} // namespace

//===----------------------------------------------------------------------===//
// Helpers on maps and generics
//===----------------------------------------------------------------------===//

/// The dimensions that `map` reads an element by.
static SmallBitVector getUsedDims(AffineMap map) {
  SmallBitVector used(map.getNumDims());
  for (AffineExpr expr : map.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      used.set(dim.getPosition());
  return used;
}

/// The other dimensions, in order.
static SmallVector<unsigned> getReducedDims(AffineMap map) {
  SmallBitVector used = getUsedDims(map);
  used.flip();
  return llvm::to_vector(used.set_bits());
}

static bool coversAllDims(ArrayRef<AffineMap> maps) {
  SmallBitVector covered(maps.front().getNumDims());
  for (AffineMap map : maps)
    covered |= getUsedDims(map);
  return covered.all();
}

using BodyBuilder = llvm::function_ref<void(OpBuilder &, Location, ValueRange)>;

/// A generic in which the dimensions that index every output are parallel.
static linalg::GenericOp
createGeneric(OpBuilder &builder, Location loc, ArrayRef<Value> inputs,
              ArrayRef<AffineMap> inputMaps, ArrayRef<Value> outputs,
              ArrayRef<AffineMap> outputMaps, BodyBuilder buildBody) {
  unsigned numDims = outputMaps.front().getNumDims();
  SmallBitVector parallel(numDims, true);
  for (AffineMap map : outputMaps)
    parallel &= getUsedDims(map);
  SmallVector<IteratorType> iterators(numDims, IteratorType::reduction);
  for (unsigned dim : parallel.set_bits())
    iterators[dim] = IteratorType::parallel;
  SmallVector<AffineMap> maps = llvm::to_vector(inputMaps);
  maps.append(outputMaps.begin(), outputMaps.end());
  return linalg::GenericOp::create(builder, loc, TypeRange(ValueRange(outputs)),
                                   inputs, outputs, maps, iterators, buildBody);
}

/// Erases dead ops of the body, then inputs that it does not read, but for
/// those without which the extent of a dimension would be unknown.
static void pruneGeneric(linalg::GenericOp generic) {
  Block *body = generic.getBody();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*body)))
    if (isOpTriviallyDead(&op))
      op.erase();
  SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
  for (unsigned input = generic.getNumDpsInputs(); input-- > 0;) {
    if (!body->getArgument(input).use_empty())
      continue;
    SmallVector<AffineMap> rest = maps;
    rest.erase(rest.begin() + input);
    if (!coversAllDims(rest))
      continue;
    body->eraseArgument(input);
    generic.getInputsMutable().erase(input);
    maps = std::move(rest);
  }
  generic.setIndexingMapsAttr(
      Builder(generic.getContext()).getAffineMapArrayAttr(maps));
}

/// `tensor` with its elements converted, or the tensor itself.
static Value createConversion(OpBuilder &builder, Location loc, Value tensor,
                              Type elementType) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getElementType() == elementType)
    return tensor;
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  Value empty = createEmptyLike(builder, loc, tensor, elementType);
  return createGeneric(builder, loc, tensor, identity, empty, identity,
                       [&](OpBuilder &nested, Location loc, ValueRange args) {
                         linalg::YieldOp::create(
                             nested, loc,
                             convertFloat(nested, loc, args[0], elementType));
                       })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Roles of results
//===----------------------------------------------------------------------===//

LogicalResult StructuredAdjoint::classifyResults() {
  for (auto [index, map] : llvm::enumerate(f.resultMaps)) {
    if (!cotangents[index]) {
      roles.push_back({ResultRole::Pointwise, getTerminatorOperand(index), {}});
      continue;
    }
    if (!map.isProjectedPermutation())
      return f.op->emitOpError("has no differentiation rule: result #")
             << index << " is written through " << AffineMapAttr::get(map)
             << ", expected a projected permutation";
    if (getUsedDims(map).all()) {
      roles.push_back({ResultRole::Pointwise, getTerminatorOperand(index), {}});
      continue;
    }
    FailureOr<ResultRole> role = classifyReduction(index);
    if (failed(role))
      return f.op->emitOpError("has no differentiation rule: expected the ")
             << "reduction of result #" << index
             << " to combine what is accumulated with one new value by "
                "arith.addf, subf, maximumf, maxnumf, minimumf or minnumf";
    roles.push_back(*role);
  }
  return success();
}

FailureOr<ResultRole> StructuredAdjoint::classifyReduction(unsigned result) {
  unsigned init = f.firstInit + result;
  Value yielded = getTerminatorOperand(result);
  Operation *combiner = yielded.getDefiningOp();
  if (init >= f.inputs.size() || !combiner || combiner->getBlock() != f.body ||
      combiner->getNumOperands() != 2 || !yielded.hasOneUse())
    return failure();
  // Nothing else may look at what is accumulated: its value depends on the
  // order.
  BlockArgument accumulated = f.body->getArgument(init);
  if (!accumulated.hasOneUse())
    return failure();
  Value lhs = combiner->getOperand(0), rhs = combiner->getOperand(1);
  if (lhs != accumulated && rhs != accumulated)
    return failure();
  Value seed = lhs == accumulated ? rhs : lhs;
  if (isa<arith::AddFOp>(combiner))
    return ResultRole{ResultRole::Sum, seed, {}};
  if (isa<arith::SubFOp>(combiner) && lhs == accumulated)
    return ResultRole{ResultRole::Difference, seed, {}};
  if (std::optional<Extremum> extremum = Extremum::match(combiner))
    return ResultRole{ResultRole::Extreme, seed, *extremum};
  return failure();
}

//===----------------------------------------------------------------------===//
// Winners of extrema
//===----------------------------------------------------------------------===//

Value StructuredAdjoint::getExtent(unsigned dim) {
  Value &extent = extents[dim];
  if (extent)
    return extent;
  for (auto [value, map] : llvm::zip_equal(f.inputs, f.inputMaps)) {
    AffineExpr expr = builder.getAffineDimExpr(dim);
    for (auto [position, used] : llvm::enumerate(map.getResults()))
      if (used == expr)
        return extent = createExtent(builder, loc, value, position);
  }
  return extent;
}

Value StructuredAdjoint::createPosition(OpBuilder &nested, unsigned result) {
  Value position;
  for (unsigned dim : getReducedDims(f.resultMaps[result])) {
    Value index = linalg::IndexOp::create(nested, loc, dim);
    if (position) {
      Value row = arith::MulIOp::create(nested, loc, position, getExtent(dim));
      index = arith::AddIOp::create(nested, loc, row, index);
    }
    position = index;
  }
  return arith::IndexCastOp::create(nested, loc, nested.getI64Type(), position);
}

Value StructuredAdjoint::getWinners(unsigned result) {
  Value &winner = winners[result];
  if (winner)
    return winner;
  // Positions may need extents, which must stand before the generic.
  for (unsigned dim : getReducedDims(f.resultMaps[result]))
    getExtent(dim);
  Value init = f.inputs[f.firstInit + result];
  AffineMap map = f.resultMaps[result];
  Value none = arith::ConstantIntOp::create(builder, loc, -1, 64);
  Value start = linalg::FillOp::create(
                    builder, loc, none,
                    createEmptyLike(builder, loc, init, builder.getI64Type()))
                    .getResult(0);
  auto generic = createGeneric(
      builder, loc, f.inputs, f.inputMaps, {init, start}, {map, map},
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        IRMapping values;
        values.map(f.body->getArguments(), args.take_front(f.inputs.size()));
        cloneBody(nested, values);
        Value value = values.lookupOrDefault(roles[result].seed);
        Value best = args[f.inputs.size()], where = args[f.inputs.size() + 1];
        ScalarFormula formula(nested, loc);
        Value wins = formula.takes(roles[result].extremum, value, best,
                                   /*onTie=*/false);
        linalg::YieldOp::create(
            nested, loc,
            ValueRange{
                formula.select(wins, value, best),
                formula.select(wins, createPosition(nested, result), where)});
      });
  pruneGeneric(generic);
  return winner = generic.getResult(1);
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

/// Copies the ops of the body that compute what `values` does not have yet.
void StructuredAdjoint::cloneBody(OpBuilder &nested, IRMapping &values) {
  for (Operation &op : f.body->without_terminator())
    if (op.getNumResults() == 0 || !llvm::all_of(op.getResults(), [&](Value v) {
          return values.contains(v);
        }))
      nested.clone(op, values);
}

/// The values of the body whose derivative by `argument` may not be zero.
llvm::DenseSet<Value> StructuredAdjoint::getDependents(Value argument) {
  llvm::DenseSet<Value> dependents = {argument};
  for (Operation &op : f.body->without_terminator()) {
    bool reads = false;
    op.walk([&](Operation *inner) {
      reads |= llvm::any_of(inner->getOperands(), [&](Value operand) {
        return dependents.contains(operand);
      });
    });
    if (!reads)
      continue;
    for (Value result : op.getResults())
      if (isDifferentiableType(result.getType()) ||
          carriesOtherReals(result.getType()))
        dependents.insert(result);
  }
  return dependents;
}

/// The operands of an op of the body that are among `dependents`; fails with an
/// error where the derivative cannot pass.
FailureOr<BitVector>
StructuredAdjoint::getNeededOperands(Operation &op,
                                     const llvm::DenseSet<Value> &dependents) {
  if (op.getNumRegions() != 0)
    return f.op->emitOpError("has no differentiation rule: control flow (")
           << op.getName() << ") in its body";
  BitVector needed(op.getNumOperands());
  for (OpOperand &operand : op.getOpOperands()) {
    if (!dependents.contains(operand.get()))
      continue;
    if (carriesOtherReals(operand.get().getType()))
      return op.emitOpError("has no differentiation rule for type ")
             << operand.get().getType();
    needed.set(operand.getOperandNumber());
  }
  return needed;
}

Value StructuredAdjoint::createSeedAdjoint(OpBuilder &nested, unsigned result,
                                           ValueRange args,
                                           const ResultReads &positions) {
  Value cotangent = args[positions.cotangent];
  ScalarFormula formula(nested, loc);
  Value adjoint =
      convertFloat(nested, loc, cotangent, getWideType(cotangent.getType()));
  if (roles[result].kind == ResultRole::Difference)
    return formula.neg(adjoint);
  if (roles[result].kind != ResultRole::Extreme)
    return adjoint;
  Value wins = arith::CmpIOp::create(nested, loc, arith::CmpIPredicate::eq,
                                     createPosition(nested, result),
                                     args[positions.winner]);
  return formula.keep(adjoint, wins);
}

/// Differentiates the body by its argument `input`, backwards. Returns the
/// derivative at one point in the wide type, null if it is zero.
FailureOr<Value>
StructuredAdjoint::createAdjoint(OpBuilder &nested, unsigned input,
                                 ValueRange args,
                                 ArrayRef<ResultReads> positions) {
  IRMapping values;
  values.map(f.body->getArguments(), args.take_front(f.inputs.size()));
  // What an op at one point has yielded can be read, and need not be computed.
  for (auto [index, role] : llvm::enumerate(roles))
    if (role.kind == ResultRole::Pointwise && cotangents[index] &&
        role.seed.getParentBlock() == f.body && !values.contains(role.seed))
      values.map(role.seed, args[positions[index].result]);
  cloneBody(nested, values);

  BlockArgument argument = f.body->getArgument(input);
  llvm::DenseSet<Value> dependents = getDependents(argument);
  llvm::DenseMap<Value, Value> adjoints;
  auto accumulate = [&](Value value, Value adjoint) {
    Value &sum = adjoints[value];
    sum = sum ? ScalarFormula(nested, loc).add(sum, adjoint) : adjoint;
  };
  for (auto [index, role] : llvm::enumerate(roles))
    if (cotangents[index] && dependents.contains(role.seed))
      accumulate(role.seed,
                 createSeedAdjoint(nested, index, args, positions[index]));

  for (Operation &op : llvm::reverse(f.body->without_terminator())) {
    SmallVector<Value> outer, inner;
    for (Value result : op.getResults())
      outer.push_back(adjoints.lookup(result));
    if (llvm::none_of(outer, [](Value v) { return bool(v); }))
      continue;
    FailureOr<BitVector> needed = getNeededOperands(op, dependents);
    if (failed(needed) || failed(differentiateScalarOp(nested, &op, values,
                                                       outer, *needed, inner)))
      return failure();
    for (unsigned operand : needed->set_bits())
      if (inner[operand])
        accumulate(op.getOperand(operand), inner[operand]);
  }
  return adjoints.lookup(argument);
}

/// What is accumulated starts with the init, so a sum hands its cotangent on.
/// An extremum does where the init was not exceeded.
FailureOr<Value> StructuredAdjoint::createInitGradient(unsigned result) {
  Value cotangent = cotangents[result];
  if (!cotangent || roles[result].kind != ResultRole::Extreme)
    return cotangent;
  auto type = cast<RankedTensorType>(cotangent.getType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  Value winner = getWinners(result);
  Value empty = createEmptyLike(builder, loc, cotangent, type.getElementType());
  return createGeneric(
             builder, loc, {cotangent, winner}, {identity, identity}, empty,
             identity,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               Value none = arith::ConstantIntOp::create(nested, loc, -1, 64);
               Value isInit = arith::CmpIOp::create(
                   nested, loc, arith::CmpIPredicate::eq, args[1], none);
               linalg::YieldOp::create(
                   nested, loc,
                   ScalarFormula(nested, loc).keep(args[0], isInit));
             })
      .getResult(0);
}

/// Everything that a derivative may read. What it does not is pruned later.
StructuredAdjoint::Reads
StructuredAdjoint::collectReads(MutableArrayRef<ResultReads> positions) {
  Reads reads{f.inputs, f.inputMaps};
  for (auto [index, cotangent] : llvm::enumerate(cotangents)) {
    if (!cotangent)
      continue;
    AffineMap map = f.resultMaps[index];
    positions[index].cotangent = reads.add(cotangent, map);
    if (roles[index].kind == ResultRole::Extreme)
      positions[index].winner = reads.add(getWinners(index), map);
    else if (roles[index].kind == ResultRole::Pointwise)
      positions[index].result = reads.add(f.results[index], map);
  }
  return reads;
}

FailureOr<Value> StructuredAdjoint::createInputGradient(unsigned input) {
  Value like = f.inputs[input];
  AffineMap map = f.inputMaps[input];
  if (!map.isProjectedPermutation(/*allowZeroInResults=*/true))
    return f.op->emitOpError("has no differentiation rule: operand #")
           << input << " is read through " << AffineMapAttr::get(map)
           << ", expected a projected permutation";

  SmallVector<ResultReads> positions(f.results.size());
  Reads reads = collectReads(positions);

  // An element that is read at several points sums over them, in the wide type.
  Type narrow = getElementTypeOrSelf(like.getType());
  bool isTensor = isa<RankedTensorType>(like.getType());
  bool isSum =
      !getUsedDims(map).all() || map.getNumResults() != map.getNumDims();
  Type type = isSum ? getWideType(narrow) : narrow;
  Value output = isTensor ? createEmptyLike(builder, loc, like, type)
                          : Value(tensor::EmptyOp::create(
                                builder, loc, ArrayRef<int64_t>(), type));
  if (isSum)
    output = createZeroLike(builder, loc, output);

  FailureOr<Value> adjoint;
  auto generic = createGeneric(
      builder, loc, reads.values, reads.maps, output, map,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        adjoint = createAdjoint(nested, input, args, positions);
        Value yielded = args.back();
        if (succeeded(adjoint) && *adjoint) {
          Value point = convertFloat(nested, loc, *adjoint, type);
          yielded =
              isSum ? ScalarFormula(nested, loc).add(yielded, point) : point;
        }
        linalg::YieldOp::create(nested, loc, yielded);
      });
  if (failed(adjoint) || !*adjoint) {
    generic.erase();
    return adjoint;
  }
  pruneGeneric(generic);
  Value gradient = createConversion(
      builder, loc, replaceByNamedForm(builder, generic), narrow);
  if (!isTensor)
    return Value(tensor::ExtractOp::create(builder, loc, gradient));
  return gradient;
}

FailureOr<Value> StructuredAdjoint::createGradient(unsigned index) {
  if (index >= f.firstInit) {
    unsigned result = index - f.firstInit;
    if (!cotangents[result] || roles[result].kind != ResultRole::Pointwise)
      return createInitGradient(result);
  }
  return createInputGradient(index);
}

LogicalResult mlir::boostr::differentiateStructured(
    OpBuilder &builder, const StructuredFunction &function,
    ArrayRef<Value> cotangents, const BitVector &needed,
    SmallVectorImpl<Value> &gradients) {
  StructuredAdjoint adjoint(builder, function, cotangents);
  if (failed(adjoint.classifyResults()))
    return failure();
  gradients.assign(function.inputs.size(), Value());
  for (unsigned input : needed.set_bits()) {
    FailureOr<Value> gradient = adjoint.createGradient(input);
    if (failed(gradient))
      return failure();
    gradients[input] = *gradient;
  }
  return success();
}
