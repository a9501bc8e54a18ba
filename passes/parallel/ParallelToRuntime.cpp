// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-parallel-to-runtime`: outermost parallel loops become tasks of the
// runtime's thread pool.

#include "boostr/dialect/BoostrDialect.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/parallel/CapturedValue.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_PARALLELTORUNTIME
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct ParallelToRuntime
    : boostr::impl::ParallelToRuntimeBase<ParallelToRuntime> {
  using ParallelToRuntimeBase::ParallelToRuntimeBase;
  void runOnOperation() override;
};

/// Turns one loop into a function that runs a task, and a call of the runtime.
///
/// Iterations are numbered through all dimensions but the last, which stays a
/// loop inside a task, since it is the one that runs along memory. A loop of
/// one dimension is numbered through as it is.
class TaskOutliner {
public:
  TaskOutliner(ModuleOp module, scf::ParallelOp loop, int64_t grain)
      : module(module), loop(loop), grain(grain),
        converter(module.getContext()) {}

  LogicalResult outline(StringRef taskName);

private:
  LogicalResult collectCaptures();
  void createTask(StringRef name);
  void createCall(StringRef taskName);
  Value getField(ImplicitLocOpBuilder &b, Value memory, int32_t number);
  Value getExtent(ImplicitLocOpBuilder &b, unsigned dim, ValueRange lower,
                  ValueRange upper, ValueRange step);
  void createRows(ImplicitLocOpBuilder &b, IRMapping &mapping, Value task);
  void createRow(ImplicitLocOpBuilder &b, IRMapping &mapping, Value row);
  SmallVector<Value> lookup(IRMapping &mapping, ValueRange values);

  bool keepsInnermost() { return loop.getNumLoops() > 1; }
  unsigned getNumNumbered() {
    return keepsInnermost() ? loop.getNumLoops() - 1 : 1;
  }

  ModuleOp module;
  scf::ParallelOp loop;
  int64_t grain;
  LLVMTypeConverter converter;
  /// Values from outside that the body or the bounds use. Constants are cloned.
  SmallVector<std::pair<Value, CapturedType>> captures;
  SmallVector<Operation *> constants;
  /// Of all fields of the captures.
  SmallVector<Type> fieldTypes;
};

} // namespace

/// The address of a field of the captures at `memory`.
Value TaskOutliner::getField(ImplicitLocOpBuilder &b, Value memory,
                             int32_t number) {
  return LLVM::GEPOp::create(
      b, memory.getType(),
      LLVM::LLVMStructType::getLiteral(b.getContext(), fieldTypes), memory,
      ArrayRef<LLVM::GEPArg>{0, number});
}

LogicalResult TaskOutliner::collectCaptures() {
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(loop.getRegion(), used);
  used.insert(loop->getOperands().begin(), loop->getOperands().end());
  for (Value value : used) {
    Operation *producer = value.getDefiningOp();
    if (producer && producer->hasTrait<OpTrait::ConstantLike>()) {
      if (!llvm::is_contained(constants, producer))
        constants.push_back(producer);
      continue;
    }
    auto type = CapturedType::get(converter, value.getType());
    if (!type)
      return loop.emitOpError("uses a value of type ")
             << value.getType() << ", which no task can capture";
    llvm::append_range(fieldTypes, type->getFieldTypes());
    captures.push_back({value, *type});
  }
  return success();
}

SmallVector<Value> TaskOutliner::lookup(IRMapping &mapping, ValueRange values) {
  return llvm::map_to_vector(
      values, [&](Value value) { return mapping.lookupOrDefault(value); });
}

/// Iterations along `dim`.
Value TaskOutliner::getExtent(ImplicitLocOpBuilder &b, unsigned dim,
                              ValueRange lower, ValueRange upper,
                              ValueRange step) {
  Value length = arith::SubIOp::create(b, upper[dim], lower[dim]);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  length = arith::MaxSIOp::create(b, length, zero);
  return arith::CeilDivUIOp::create(b, length, step[dim]);
}

/// Product of the extents of the numbered dimensions.
static Value multiply(ImplicitLocOpBuilder &b, ArrayRef<Value> extents) {
  Value product = arith::ConstantIndexOp::create(b, 1);
  for (Value extent : extents)
    product = arith::MulIOp::create(b, product, extent);
  return product;
}

/// Runs iteration `row` of the numbered dimensions.
void TaskOutliner::createRow(ImplicitLocOpBuilder &b, IRMapping &mapping,
                             Value row) {
  SmallVector<Value> lower = lookup(mapping, loop.getLowerBound());
  SmallVector<Value> upper = lookup(mapping, loop.getUpperBound());
  SmallVector<Value> step = lookup(mapping, loop.getStep());
  Value rest = row;
  for (unsigned dim = getNumNumbered(); dim-- > 0;) {
    Value position = rest;
    if (dim > 0) {
      Value extent = getExtent(b, dim, lower, upper, step);
      position = arith::RemUIOp::create(b, rest, extent);
      rest = arith::DivUIOp::create(b, rest, extent);
    }
    Value scaled = arith::MulIOp::create(b, position, step[dim]);
    Value induction = arith::AddIOp::create(b, lower[dim], scaled);
    mapping.map(loop.getInductionVars()[dim], induction);
  }
  OpBuilder::InsertionGuard guard(b);
  if (keepsInnermost()) {
    auto inner = scf::ForOp::create(b, lower.back(), upper.back(), step.back());
    mapping.map(loop.getInductionVars().back(), inner.getInductionVar());
    b.setInsertionPoint(inner.getBody()->getTerminator());
  }
  for (Operation &op : loop.getBody()->without_terminator())
    b.clone(op, mapping);
}

/// Iterations that one task runs: enough that handing it to a thread pays.
/// Depends on extents alone, so tasks are the same for any number of threads.
static Value getRowsPerTask(ImplicitLocOpBuilder &b, int64_t grain,
                            Value innerExtent) {
  if (!innerExtent)
    return arith::ConstantIndexOp::create(b, grain);
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value inner = arith::MaxUIOp::create(b, innerExtent, one);
  return arith::CeilDivUIOp::create(b, arith::ConstantIndexOp::create(b, grain),
                                    inner);
}

void TaskOutliner::createRows(ImplicitLocOpBuilder &b, IRMapping &mapping,
                              Value task) {
  if (grain == 1)
    return createRow(b, mapping, task);
  SmallVector<Value> lower = lookup(mapping, loop.getLowerBound());
  SmallVector<Value> upper = lookup(mapping, loop.getUpperBound());
  SmallVector<Value> step = lookup(mapping, loop.getStep());
  SmallVector<Value> extents;
  for (unsigned dim = 0; dim < loop.getNumLoops(); ++dim)
    extents.push_back(getExtent(b, dim, lower, upper, step));
  Value numRows =
      multiply(b, ArrayRef<Value>(extents).take_front(getNumNumbered()));
  Value rowsPerTask =
      getRowsPerTask(b, grain, keepsInnermost() ? extents.back() : Value());
  Value begin = arith::MulIOp::create(b, task, rowsPerTask);
  Value end = arith::MinUIOp::create(
      b, arith::AddIOp::create(b, begin, rowsPerTask), numRows);
  auto rows =
      scf::ForOp::create(b, begin, end, arith::ConstantIndexOp::create(b, 1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(rows.getBody()->getTerminator());
  createRow(b, mapping, rows.getInductionVar());
}

/// `func @name(%captures: !llvm.ptr, %task: i64)`.
void TaskOutliner::createTask(StringRef name) {
  MLIRContext *context = module.getContext();
  ImplicitLocOpBuilder b(loop.getLoc(), context);
  b.setInsertionPointToEnd(module.getBody());
  auto pointer = LLVM::LLVMPointerType::get(context);
  auto type = b.getFunctionType({pointer, b.getI64Type()}, {});
  auto function = func::FuncOp::create(b, name, type);
  function.setPrivate();
  function->setAttr("llvm.linkage",
                    LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
  b.setInsertionPointToStart(function.addEntryBlock());

  IRMapping mapping;
  Value memory = function.getArgument(0);
  int32_t number = 0;
  for (auto &[value, captured] : captures) {
    SmallVector<Value> fields;
    for (Type type : captured.getFieldTypes())
      fields.push_back(
          LLVM::LoadOp::create(b, type, getField(b, memory, number++)));
    mapping.map(value, captured.join(b, fields));
  }
  for (Operation *constant : constants)
    b.clone(*constant, mapping);
  Value task =
      arith::IndexCastOp::create(b, b.getIndexType(), function.getArgument(1));
  createRows(b, mapping, task);
  func::ReturnOp::create(b);
}

/// Stores the captures on the stack and hands the tasks to the runtime.
void TaskOutliner::createCall(StringRef taskName) {
  MLIRContext *context = module.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  auto structType = LLVM::LLVMStructType::getLiteral(context, fieldTypes);
  auto function = loop->getParentOfType<FunctionOpInterface>();

  // In the entry block, so that a loop around takes no more stack.
  ImplicitLocOpBuilder entry(loop.getLoc(), context);
  entry.setInsertionPointToStart(&function.getFunctionBody().front());
  Value one = LLVM::ConstantOp::create(entry, entry.getI64Type(),
                                       entry.getI64IntegerAttr(1));
  Value memory = LLVM::AllocaOp::create(entry, pointer, structType, one,
                                        /*alignment=*/64);

  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  int32_t number = 0;
  for (auto &[value, captured] : captures)
    for (Value field : captured.split(b, value))
      LLVM::StoreOp::create(b, field, getField(b, memory, number++));

  SmallVector<Value> extents;
  for (unsigned dim = 0; dim < loop.getNumLoops(); ++dim)
    extents.push_back(getExtent(b, dim, loop.getLowerBound(),
                                loop.getUpperBound(), loop.getStep()));
  Value numTasks =
      multiply(b, ArrayRef<Value>(extents).take_front(getNumNumbered()));
  if (grain != 1)
    numTasks = arith::CeilDivUIOp::create(
        b, numTasks,
        getRowsPerTask(b, grain, keepsInnermost() ? extents.back() : Value()));
  Value count = arith::IndexCastOp::create(b, b.getI64Type(), numTasks);
  auto taskType = b.getFunctionType({pointer, b.getI64Type()}, {});
  Value task = func::ConstantOp::create(
      b, taskType, FlatSymbolRefAttr::get(context, taskName));
  Value address =
      UnrealizedConversionCastOp::create(b, pointer, task).getResult(0);
  LLVM::CallOp::create(b, TypeRange{},
                       FlatSymbolRefAttr::get(context, "boostr_parallel_for"),
                       ValueRange{address, memory, count});
}

LogicalResult TaskOutliner::outline(StringRef taskName) {
  if (!loop.getInitVals().empty())
    return loop.emitOpError("has reductions, which tasks cannot combine");
  if (failed(collectCaptures()))
    return failure();
  createTask(taskName);
  createCall(taskName);
  loop.erase();
  return success();
}

/// About how many innermost iterations one run of the body of `loop` is: the
/// trip counts of the loops inside, a guess where these are dynamic.
static int64_t estimateIterations(Operation *loop) {
  constexpr int64_t dynamicTripCount = 32, limit = int64_t(1) << 30;
  int64_t total = 0;
  for (Operation &op : loop->getRegion(0).front()) {
    auto inner = dyn_cast<LoopLikeOpInterface>(op);
    if (!inner || op.getNumRegions() != 1)
      continue;
    int64_t trips = 1;
    auto lower = inner.getLoopLowerBounds(), upper = inner.getLoopUpperBounds();
    auto step = inner.getLoopSteps();
    if (!lower || !upper || !step)
      return limit;
    for (auto [from, to, by] : llvm::zip_equal(*lower, *upper, *step)) {
      std::optional<int64_t> first = getConstantIntValue(from),
                             last = getConstantIntValue(to),
                             stride = getConstantIntValue(by);
      bool isStatic = first && last && stride && *stride > 0;
      trips *= isStatic ? std::max<int64_t>((*last - *first) / *stride, 1)
                        : dynamicTripCount;
      trips = std::min(trips, limit);
    }
    total = std::min(total + trips * estimateIterations(&op), limit);
  }
  return std::max<int64_t>(total, 1);
}

/// Declares `boostr_parallel_for` unless the module has it.
static void declareParallelFor(ModuleOp module) {
  StringRef name = "boostr_parallel_for";
  if (module.lookupSymbol(name))
    return;
  MLIRContext *context = module.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                          {pointer, pointer, b.getI64Type()});
  LLVM::LLVMFuncOp::create(b, module.getLoc(), name, type);
}

void ParallelToRuntime::runOnOperation() {
  ModuleOp module = getOperation();
  SmallVector<scf::ParallelOp> loops;
  module.walk<WalkOrder::PreOrder>([&](scf::ParallelOp loop) {
    loops.push_back(loop);
    // Loops inside run in one task, one after the other.
    return WalkResult::skip();
  });
  if (loops.empty())
    return;
  declareParallelFor(module);
  SymbolTable symbols(module);
  for (scf::ParallelOp loop : loops) {
    auto function = loop->getParentOfType<func::FuncOp>();
    if (!function) {
      loop.emitOpError("expected inside a function");
      return signalPassFailure();
    }
    unsigned number = 0;
    std::string name = SymbolTable::generateSymbolName<64>(
                           (function.getName() + "__task").str(),
                           [&](StringRef candidate) {
                             return module.lookupSymbol(candidate) != nullptr;
                           },
                           number)
                           .str()
                           .str();
    auto own =
        loop->getAttrOfType<IntegerAttr>(BoostrDialect::getGrainAttrName());
    int64_t rows = own ? own.getInt()
                       : std::max<int64_t>(grain / estimateIterations(loop), 1);
    if (failed(TaskOutliner(module, loop, rows).outline(name)))
      return signalPassFailure();
  }
}
