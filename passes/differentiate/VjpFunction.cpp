// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One function: clone it, find the values on a path from a wanted argument to a
// result with a cotangent, go backwards over the ops between, return what
// arrived at the arguments, and erase what nobody needs.

#include "boostr/passes/differentiate/VjpFunction.h"
#include "boostr/dialect/BoostrDialect.h"
#include "boostr/dialect/DifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::boostr;
using llvm::BitVector;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static BitVector getDifferentiable(TypeRange types) {
  BitVector bits(types.size());
  for (auto [index, type] : llvm::enumerate(types))
    if (isDifferentiableType(type))
      bits.set(index);
  return bits;
}

BitVector mlir::boostr::getDifferentiableArguments(func::FuncOp function) {
  return getDifferentiable(function.getArgumentTypes());
}

BitVector mlir::boostr::getDifferentiableResults(func::FuncOp function) {
  return getDifferentiable(function.getResultTypes());
}

//===----------------------------------------------------------------------===//
// One function
//===----------------------------------------------------------------------===//

namespace {

class VjpBuilder {
public:
  VjpBuilder(VjpModule &module, const VjpRequest &request, func::FuncOp vjp)
      : module(module), request(request), vjp(vjp), builder(vjp.getContext()) {}

  LogicalResult build();

private:
  LogicalResult checkSource();
  void cloneBody();
  void findVaried();
  void findUseful();
  LogicalResult checkOp(Operation &op);
  LogicalResult differentiate(Operation &op);
  LogicalResult differentiateCall(func::CallOp call, ArrayRef<Value> cotangents,
                                  const BitVector &needed,
                                  SmallVectorImpl<Value> &gradients);
  void accumulate(Value value, Value gradient);
  void createReturn();
  void eraseDead();

  bool hasActiveResult(Operation &op) {
    return llvm::any_of(op.getResults(), [&](Value result) {
      return varied.contains(result) && useful.contains(result);
    });
  }

  VjpModule &module;
  VjpRequest request;
  func::FuncOp vjp;
  OpBuilder builder;
  /// Operands of the original's return, in the clone.
  SmallVector<Value> returned;
  /// Values that depend on a wanted argument; values on which a result with a
  /// cotangent depends.
  llvm::DenseSet<Value> varied, useful;
  llvm::DenseMap<Value, Value> cotangents;
};

} // namespace

/// Calls `visit` for the operands of `op` and for what its regions use of the
/// values around it.
static void visitUses(Operation &op, llvm::function_ref<void(Value)> visit) {
  op.walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      visit(operand);
  });
}

LogicalResult VjpBuilder::checkSource() {
  func::FuncOp source = request.function;
  if (source.isExternal())
    return source.emitOpError("'")
           << source.getName() << "' has no body to differentiate";
  if (!source.getBody().hasOneBlock())
    return source.emitOpError("'")
           << source.getName()
           << "' expected a body of one block to differentiate, got "
           << source.getBody().getBlocks().size();
  auto rejectBuffers = [&](StringRef kind, TypeRange types) -> LogicalResult {
    for (auto [index, type] : llvm::enumerate(types))
      if (isa<BaseMemRefType>(type))
        return source.emitOpError("'")
               << source.getName() << "' expected tensors to differentiate, "
               << kind << " #" << index << " is " << type;
    return success();
  };
  if (failed(rejectBuffers("argument", source.getArgumentTypes())) ||
      failed(rejectBuffers("result", source.getResultTypes())))
    return failure();
  return success();
}

void VjpBuilder::cloneBody() {
  Block *body = builder.createBlock(&vjp.getBody());
  Block &original = request.function.getBody().front();
  IRMapping mapping;
  for (BlockArgument argument : original.getArguments())
    mapping.map(argument,
                body->addArgument(argument.getType(), argument.getLoc()));
  for (Operation &op : original.without_terminator())
    builder.clone(op, mapping);
  for (Value value : original.getTerminator()->getOperands())
    returned.push_back(mapping.lookup(value));
  for (unsigned result : request.cotangents.set_bits()) {
    Value value = returned[result];
    Value cotangent = body->addArgument(value.getType(), value.getLoc());
    useful.insert(value);
    accumulate(value, cotangent);
  }
}

void VjpBuilder::findVaried() {
  Block &body = vjp.getBody().front();
  for (unsigned argument : request.wrt.set_bits())
    varied.insert(body.getArgument(argument));
  for (Operation &op : body) {
    if (op.hasAttr(BoostrDialect::getStopGradientAttrName()))
      continue;
    bool reads = false;
    visitUses(op, [&](Value value) { reads |= varied.contains(value); });
    if (!reads)
      continue;
    for (Value result : op.getResults())
      if (isDifferentiableType(result.getType()) ||
          carriesOtherReals(result.getType()))
        varied.insert(result);
  }
}

void VjpBuilder::findUseful() {
  for (Operation &op : llvm::reverse(vjp.getBody().front()))
    if (llvm::any_of(op.getResults(),
                     [&](Value result) { return useful.contains(result); }))
      visitUses(op, [&](Value value) { useful.insert(value); });
}

/// Rejects what would lose a derivative without a word.
LogicalResult VjpBuilder::checkOp(Operation &op) {
  if (op.hasAttr(BoostrDialect::getStopGradientAttrName()))
    return success();
  bool readsVaried = false, capturesVaried = false;
  visitUses(op, [&](Value value) { readsVaried |= varied.contains(value); });
  for (Region &region : op.getRegions())
    region.walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        capturesVaried |= varied.contains(operand);
    });
  if (!readsVaried)
    return success();
  bool isCall = isa<func::CallOp>(op);
  if (!isCall && op.getNumResults() == 0 && !isMemoryEffectFree(&op))
    return op.emitOpError("has no differentiation rule: writes a value that "
                          "depends on a differentiated argument to memory");
  if (!hasActiveResult(op))
    return success();
  for (Value result : op.getResults())
    if (carriesOtherReals(result.getType()) && useful.contains(result))
      return op.emitOpError("has no differentiation rule for type ")
             << result.getType();
  if (isCall || isa<DifferentiableOpInterface>(op)) {
    if (capturesVaried)
      return op.emitOpError(
          "has no differentiation rule: its body reads a "
          "value of the function that depends on a "
          "differentiated argument, which must be an operand");
    return success();
  }
  InFlightDiagnostic error = op.emitOpError("has no differentiation rule");
  if (op.getNumRegions() != 0)
    error << ": control flow is not differentiated";
  return error;
}

LogicalResult VjpBuilder::differentiate(Operation &op) {
  if (!hasActiveResult(op))
    return success();
  SmallVector<Value> outer;
  for (Value result : op.getResults())
    outer.push_back(varied.contains(result) ? cotangents.lookup(result)
                                            : Value());
  BitVector needed(op.getNumOperands());
  for (OpOperand &operand : op.getOpOperands())
    if (varied.contains(operand.get()) &&
        isDifferentiableType(operand.get().getType()))
      needed.set(operand.getOperandNumber());
  if (needed.none() || llvm::none_of(outer, [](Value v) { return bool(v); }))
    return success();

  SmallVector<Value> gradients(op.getNumOperands());
  LogicalResult result =
      isa<func::CallOp>(op)
          ? differentiateCall(cast<func::CallOp>(op), outer, needed, gradients)
          : cast<DifferentiableOpInterface>(op).vjp(builder, outer, needed,
                                                    gradients);
  if (failed(result))
    return failure();
  for (unsigned operand : needed.set_bits()) {
    Value gradient = gradients[operand];
    if (!gradient)
      continue;
    if (gradient.getType() != op.getOperand(operand).getType())
      return op.emitOpError("has a faulty differentiation rule: expected the "
                            "gradient of operand #")
             << operand << " to be " << op.getOperand(operand).getType()
             << ", got " << gradient.getType();
    accumulate(op.getOperand(operand), gradient);
  }
  return success();
}

/// Calls the callee's VJP function, which computes forward again what it needs:
/// a call is a checkpoint.
LogicalResult VjpBuilder::differentiateCall(func::CallOp call,
                                            ArrayRef<Value> cotangents,
                                            const BitVector &needed,
                                            SmallVectorImpl<Value> &gradients) {
  func::FuncOp callee = module.lookup(call.getCallee());
  if (!callee)
    return call.emitOpError("calls '")
           << call.getCallee() << "', which is no function of this module";
  if (callee.isExternal())
    return call.emitOpError("calls '")
           << call.getCallee() << "', which has no body to differentiate";
  if (module.isInProgress(callee))
    return call.emitOpError("calls '")
           << call.getCallee()
           << "' recursively, which cannot be differentiated";
  VjpRequest inner{callee, needed, BitVector(cotangents.size())};
  SmallVector<Value> operands = llvm::to_vector(call.getOperands());
  for (auto [index, cotangent] : llvm::enumerate(cotangents))
    if (cotangent) {
      inner.cotangents.set(index);
      operands.push_back(cotangent);
    }
  func::FuncOp calleeVjp = module.getOrCreate(inner);
  if (!calleeVjp)
    return failure();
  auto vjpCall =
      func::CallOp::create(builder, call.getLoc(), calleeVjp, operands);
  for (auto [operand, gradient] :
       llvm::zip_equal(needed.set_bits(), vjpCall.getResults()))
    gradients[operand] = gradient;
  return success();
}

/// The op that makes `gradient` a slice in a tensor of zeros, or null.
static tensor::InsertSliceOp getLoneSlice(Value gradient) {
  auto slice = gradient.getDefiningOp<tensor::InsertSliceOp>();
  auto fill = slice ? slice.getDest().getDefiningOp<linalg::FillOp>()
                    : linalg::FillOp();
  return fill && matchPattern(fill.value(), m_AnyZeroFloat())
             ? slice
             : tensor::InsertSliceOp();
}

/// `lhs + rhs`, both of the type and shape of `like`.
static Value createSum(OpBuilder &builder, Value lhs, Value rhs, Value like) {
  Location loc = like.getLoc();
  if (!isa<RankedTensorType>(like.getType()))
    return arith::AddFOp::create(builder, loc, lhs, rhs);
  Value empty =
      createEmptyLike(builder, loc, like, getElementTypeOrSelf(like.getType()));
  return linalg::AddOp::create(builder, loc, ValueRange{lhs, rhs}, empty)
      ->getResult(0);
}

void VjpBuilder::accumulate(Value value, Value gradient) {
  Value &sum = cotangents[value];
  if (!sum) {
    sum = gradient;
    return;
  }
  // What was cut into slices gets their gradients slice by slice.
  tensor::InsertSliceOp slice = getLoneSlice(gradient);
  if (!slice) {
    slice = getLoneSlice(sum);
    if (slice)
      std::swap(sum, gradient);
  }
  if (!slice) {
    sum = createSum(builder, sum, gradient, value);
    return;
  }
  Location loc = value.getLoc();
  Value part = tensor::ExtractSliceOp::create(
      builder, loc, slice.getSourceType(), sum, slice.getMixedOffsets(),
      slice.getMixedSizes(), slice.getMixedStrides());
  part = createSum(builder, part, slice.getSource(), slice.getSource());
  sum = tensor::InsertSliceOp::create(
      builder, loc, part, sum, slice.getMixedOffsets(), slice.getMixedSizes(),
      slice.getMixedStrides());
}

void VjpBuilder::createReturn() {
  SmallVector<Value> gradients;
  for (unsigned index : request.wrt.set_bits()) {
    Value argument = vjp.getArgument(index);
    Value gradient = cotangents.lookup(argument);
    gradients.push_back(
        gradient ? gradient
                 : createZeroLike(builder, argument.getLoc(), argument));
  }
  func::ReturnOp::create(builder, request.function.getLoc(), gradients);
}

void VjpBuilder::eraseDead() {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(vjp.getBody().front()))) {
    auto call = dyn_cast<func::CallOp>(op);
    func::FuncOp callee =
        call ? module.lookup(call.getCallee()) : func::FuncOp();
    bool isPureCall = callee && op.use_empty() && module.isPure(callee);
    if (isPureCall || isOpTriviallyDead(&op))
      op.erase();
  }
}

LogicalResult VjpBuilder::build() {
  if (failed(checkSource()))
    return failure();
  cloneBody();
  findVaried();
  findUseful();
  SmallVector<Operation *> forward;
  for (Operation &op : vjp.getBody().front())
    forward.push_back(&op);
  for (Operation *op : forward)
    if (failed(checkOp(*op)))
      return failure();
  for (Operation *op : llvm::reverse(forward))
    if (failed(differentiate(*op)))
      return failure();
  createReturn();
  eraseDead();
  return success();
}

//===----------------------------------------------------------------------===//
// The functions of a module
//===----------------------------------------------------------------------===//

VjpModule::Entry &VjpModule::getEntry(const VjpRequest &request) {
  std::string key;
  for (const BitVector *bits : {&request.wrt, &request.cotangents}) {
    for (unsigned index = 0; index < bits->size(); ++index)
      key += bits->test(index) ? '1' : '0';
    key += ',';
  }
  return entries[{request.function, key}];
}

LogicalResult VjpModule::announce(const VjpRequest &request) {
  func::FuncOp function = request.function;
  std::string name = (function.getName() + "_vjp").str();
  if (Operation *other = symbols.lookup(name)) {
    InFlightDiagnostic error = function.emitOpError("'")
                               << function.getName()
                               << "' cannot be differentiated: the module "
                                  "already has a symbol '"
                               << name << "'";
    error.attachNote(other->getLoc()) << "which is here";
    return error;
  }
  Entry &entry = getEntry(request);
  entry.name = name;
  entry.isAnnounced = true;
  announcedNames.insert(name);
  return success();
}

func::FuncOp VjpModule::getOrCreate(const VjpRequest &request) {
  Entry &entry = getEntry(request);
  if (entry.vjp)
    return entry.vjp;
  std::string name = entry.name;
  if (!entry.isAnnounced) {
    func::FuncOp function = request.function;
    std::string stem = (function.getSymName() + "_vjp").str();
    name = stem;
    for (unsigned suffix = 0;
         announcedNames.contains(name) || symbols.lookup(name); ++suffix)
      name = stem + "_" + std::to_string(suffix);
  }
  return entry.vjp = create(request, name, entry.isAnnounced);
}

func::FuncOp VjpModule::create(const VjpRequest &request, StringRef name,
                               bool isAnnounced) {
  func::FuncOp source = request.function;
  SmallVector<Type> inputs = llvm::to_vector(source.getArgumentTypes());
  SmallVector<Type> results;
  for (unsigned result : request.cotangents.set_bits())
    inputs.push_back(source.getResultTypes()[result]);
  for (unsigned argument : request.wrt.set_bits())
    results.push_back(source.getArgumentTypes()[argument]);

  OpBuilder builder(source.getContext());
  auto vjp = func::FuncOp::create(builder, source.getLoc(), name,
                                  builder.getFunctionType(inputs, results));
  for (NamedAttribute attribute : source->getDiscardableAttrs())
    if (attribute.getName() != BoostrDialect::getDifferentiateAttrName())
      vjp->setDiscardableAttr(attribute.getName(), attribute.getValue());
  for (unsigned index = 0; index < source.getNumArguments(); ++index)
    vjp.setArgAttrs(index, source.getArgAttrDict(index));
  symbols.insert(vjp, std::next(source->getIterator()));
  vjp.setVisibility(isAnnounced ? source.getVisibility()
                                : SymbolTable::Visibility::Private);

  inProgress.insert(source);
  LogicalResult result = VjpBuilder(*this, request, vjp).build();
  inProgress.remove(source);
  if (succeeded(result))
    return vjp;
  symbols.erase(vjp);
  return {};
}

bool VjpModule::isPure(func::FuncOp function) {
  auto [known, isNew] = purity.try_emplace(function, false);
  // A function on the way to itself may not end, so it is not pure.
  if (!isNew || function.isExternal())
    return known->second;
  bool pure = true;
  for (Operation &op : function.getBody().getOps()) {
    auto call = dyn_cast<func::CallOp>(op);
    func::FuncOp callee = call ? lookup(call.getCallee()) : func::FuncOp();
    pure &= callee ? isPure(callee)
                   : op.hasTrait<OpTrait::IsTerminator>() ||
                         isMemoryEffectFree(&op);
  }
  return purity[function] = pure;
}
