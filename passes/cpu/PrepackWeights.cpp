// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-prepack-weights`: functions that take a weight as packed panels, and
// functions that pack it.

#include "boostr/passes/Passes.h"
#include "boostr/passes/cpu/CpuTarget.h"
#include "boostr/passes/cpu/PackedLayout.h"
#include "boostr/passes/export/Signature.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_PREPACKWEIGHTS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct PrepackWeights : boostr::impl::PrepackWeightsBase<PrepackWeights> {
  using PrepackWeightsBase::PrepackWeightsBase;
  void runOnOperation() override;
};

/// An argument that is to be packed.
struct PackedArgument {
  unsigned number;
  std::string name;
  PackedLayoutAttr layout;
};

/// Makes the functions that belong to one public function.
class FunctionPrepacker {
public:
  FunctionPrepacker(SymbolTable &symbols, func::FuncOp function,
                    CpuTargetAttr target)
      : symbols(symbols), function(function), target(target) {}

  /// Notes those of `names` that products read, and returns which. Fails, with
  /// a warning, if something else does too.
  FailureOr<SmallVector<std::string>>
  findArguments(ArrayRef<std::string> names);
  /// Creates a function that packs each argument, and one that takes all of
  /// them packed.
  LogicalResult create();

private:
  InFlightDiagnostic warn(Operation *op, StringRef name);
  FailureOr<PackedLayoutAttr> findLayout(BlockArgument argument,
                                         StringRef name);
  LogicalResult addUse(OpOperand &use, StringRef name,
                       PackedLayoutAttr &layout);
  LogicalResult insert(func::FuncOp created);
  LogicalResult createPack(const PackedArgument &argument);
  LogicalResult createCall();

  SymbolTable &symbols;
  func::FuncOp function;
  CpuTargetAttr target;
  SmallVector<PackedArgument> arguments;
  /// The tiles that ops of the packed form are to have.
  SmallVector<std::pair<Operation *, CpuTileAttr>> tiles;
};

} // namespace

/// True if `value` is rhs of every term, and nothing else in the contraction.
static bool isRhs(const SegmentedContraction &contraction, Value value) {
  return llvm::all_of(
      contraction.segments, [&](const ContractionSegment &segment) {
        return llvm::all_of(segment.terms, [&](const ContractionTerm &term) {
          return term.rhs.array == value && term.lhs.array != value;
        });
      });
}

/// True if the contraction reads `value`.
static bool reads(const SegmentedContraction &contraction, Value value) {
  auto isIn = [&](const std::optional<ContractionResult> &result) {
    return result && llvm::any_of(result->addends, [&](auto &addend) {
             return addend.array == value;
           });
  };
  return llvm::any_of(
      contraction.segments, [&](const ContractionSegment &segment) {
        return isIn(segment.product) || isIn(segment.lhsSum) ||
               llvm::any_of(segment.terms, [&](const ContractionTerm &term) {
                 return term.lhs.array == value || term.rhs.array == value;
               });
      });
}

/// Starts a warning that the function has no packed form, since `op` ...
InFlightDiagnostic FunctionPrepacker::warn(Operation *op, StringRef name) {
  return op->emitWarning() << "'" << op->getName() << "' op cannot use '"
                           << name << "' packed, so there is no '"
                           << function.getName() << "_packed': ";
}

/// What `use` wants the argument to be packed like becomes `layout`, if it
/// reads it at all.
LogicalResult FunctionPrepacker::addUse(OpOperand &use, StringRef name,
                                        PackedLayoutAttr &layout) {
  auto op = dyn_cast<SegmentedContractionOpInterface>(use.getOwner());
  if (!op)
    return warn(use.getOwner(), name) << "expected boostr ops alone to use it";
  auto type = dyn_cast<RankedTensorType>(use.get().getType());
  if (!type || !type.hasStaticShape())
    return warn(op, name) << "expected a tensor of static shape, got "
                          << use.get().getType();
  CpuTileAttr tile = cpu::getCpuTile(op, target, /*isRhsPacked=*/true);
  tiles.emplace_back(op, tile);
  for (const SegmentedContraction &contraction : op.getContractions()) {
    if (!reads(contraction, use.get()))
      continue;
    if (!isRhs(contraction, use.get()))
      return warn(op, name) << "expected it to be the whole weight";
    PackedLayoutAttr wanted = cpu::getPackedLayout(contraction, type, tile);
    if (layout && layout != wanted)
      return warn(op, name)
             << "expected " << layout << " as another op, got " << wanted;
    layout = wanted;
  }
  return success();
}

/// Null if no product reads the argument.
FailureOr<PackedLayoutAttr>
FunctionPrepacker::findLayout(BlockArgument argument, StringRef name) {
  PackedLayoutAttr layout;
  // Uses are listed from the last to the first.
  auto uses = llvm::to_vector(llvm::make_pointer_range(argument.getUses()));
  for (OpOperand *use : llvm::reverse(uses))
    if (failed(addUse(*use, name, layout)))
      return failure();
  return layout;
}

FailureOr<SmallVector<std::string>>
FunctionPrepacker::findArguments(ArrayRef<std::string> names) {
  SmallVector<std::string> found;
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    std::string name = getArgumentName(function, number);
    if (!llvm::is_contained(names, name))
      continue;
    FailureOr<PackedLayoutAttr> layout = findLayout(argument, name);
    if (failed(layout))
      return failure();
    if (!*layout)
      continue;
    arguments.push_back({number, name, *layout});
    found.push_back(name);
  }
  return found;
}

LogicalResult FunctionPrepacker::insert(func::FuncOp created) {
  if (Operation *other = symbols.lookup(created.getName())) {
    InFlightDiagnostic diagnostic = function.emitError()
                                    << "cannot pack arguments of function '"
                                    << function.getName() << "': the symbol '"
                                    << created.getName() << "' is taken";
    diagnostic.attachNote(other->getLoc()) << "by this";
    created.erase();
    return diagnostic;
  }
  symbols.insert(created, std::next(function->getIterator()));
  return success();
}

static RankedTensorType getBytesType(PackedLayoutAttr layout) {
  return RankedTensorType::get({layout.getBytes()},
                               IntegerType::get(layout.getContext(), 8));
}

/// `func @<function>_pack_<argument>`.
LogicalResult FunctionPrepacker::createPack(const PackedArgument &argument) {
  OpBuilder b(function.getContext());
  Location loc = function.getLoc();
  RankedTensorType bytes = getBytesType(argument.layout);
  auto pack = func::FuncOp::create(
      loc, (function.getName() + "_pack_" + argument.name).str(),
      b.getFunctionType(argument.layout.getArray(), bytes));
  StringRef nameAttr = BoostrDialect::getNameAttrName();
  pack.setArgAttr(0, nameAttr, b.getStringAttr(argument.name));
  pack.setResultAttr(0, nameAttr, b.getStringAttr(argument.name + "_packed"));
  b.setInsertionPointToStart(pack.addEntryBlock());
  auto packed = PackArrayOp::create(b, loc, bytes, pack.getArgument(0),
                                    /*out=*/Value(), argument.layout);
  func::ReturnOp::create(b, loc, packed.getPacked());
  return insert(pack);
}

/// `func @<function>_packed`.
LogicalResult FunctionPrepacker::createCall() {
  IRMapping mapping;
  func::FuncOp call = function.clone(mapping);
  for (auto [op, tile] : tiles)
    mapping.lookup(op)->setAttr(BoostrDialect::getCpuTileAttrName(), tile);
  OpBuilder b(call.getBody());
  call.setName((function.getName() + "_packed").str());
  call->removeAttr(BoostrDialect::getDifferentiateAttrName());
  for (const PackedArgument &argument : arguments) {
    BlockArgument plain = call.getArgument(argument.number);
    Type type = plain.getType();
    auto packed =
        PackedArrayOp::create(b, plain.getLoc(), type, plain, argument.layout);
    plain.replaceAllUsesExcept(packed.getArray(), packed);
    plain.setType(getBytesType(argument.layout));
    call.setArgAttr(argument.number, BoostrDialect::getNameAttrName(),
                    b.getStringAttr(argument.name));
    call.setArgAttr(argument.number, BoostrDialect::getPackedLayoutAttrName(),
                    argument.layout);
  }
  call.setFunctionType(b.getFunctionType(call.getBody().getArgumentTypes(),
                                         function.getResultTypes()));
  return insert(call);
}

LogicalResult FunctionPrepacker::create() {
  if (arguments.empty())
    return success();
  if (failed(createCall()))
    return failure();
  for (const PackedArgument &argument : arguments)
    if (failed(createPack(argument)))
      return failure();
  return success();
}

void PrepackWeights::runOnOperation() {
  ModuleOp module = getOperation();
  auto target = module->getAttrOfType<CpuTargetAttr>(
      BoostrDialect::getCpuTargetAttrName());
  if (!target) {
    module.emitError() << "expected an attribute '"
                       << BoostrDialect::getCpuTargetAttrName()
                       << "'; run boostr-set-cpu-target before";
    return signalPassFailure();
  }
  SymbolTable symbols(module);
  llvm::StringSet<> found;
  for (auto function : llvm::to_vector(module.getOps<func::FuncOp>())) {
    if (!function.isPublic() || function.isExternal())
      continue;
    FunctionPrepacker prepacker(symbols, function, target);
    auto names = prepacker.findArguments(llvm::to_vector(arguments));
    if (failed(names))
      continue;
    found.insert(names->begin(), names->end());
    if (failed(prepacker.create()))
      return signalPassFailure();
  }
  for (const std::string &name : arguments)
    if (!found.contains(name)) {
      module.emitError() << "expected a public function with a weight '" << name
                         << "' to pack, got none that can be";
      return signalPassFailure();
    }
}
