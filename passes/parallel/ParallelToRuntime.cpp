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

/// What the tasks of a function use of it: a block on its stack. Each value is
/// stored once, where it is defined, however many tasks use it.
class TaskFrame {
public:
  explicit TaskFrame(func::FuncOp function)
      : function(function), converter(function.getContext()) {}

  /// Makes room for `value`, which `loop` uses.
  LogicalResult add(scf::ParallelOp loop, Value value);
  /// Allocates the block and stores the values.
  void create();
  /// The value that lies in the block at `memory`.
  Value load(ImplicitLocOpBuilder &b, Value memory, Value value);
  Value getMemory() { return memory; }

private:
  struct Place {
    CapturedType type;
    int32_t firstField;
  };
  Value getField(ImplicitLocOpBuilder &b, Value memory, int32_t number);
  LLVM::LLVMStructType getType() {
    return LLVM::LLVMStructType::getLiteral(function.getContext(), fieldTypes);
  }

  func::FuncOp function;
  LLVMTypeConverter converter;
  llvm::MapVector<Value, Place> places;
  SmallVector<Type> fieldTypes;
  Value memory;
};

/// Turns one loop into a function that runs a task, and a call of the runtime.
///
/// Iterations are numbered through all dimensions but the last, which stays a
/// loop inside a task, since it is the one that runs along memory. A loop of
/// one dimension is numbered through as it is.
class TaskOutliner {
public:
  TaskOutliner(ModuleOp module, scf::ParallelOp loop, int64_t grain,
               TaskFrame &frame)
      : module(module), loop(loop), grain(grain), frame(frame) {}

  /// Adds what the loop uses to the frame.
  LogicalResult collectCaptures();
  void outline(StringRef taskName);

private:
  void createTask(StringRef name);
  void createCall(StringRef taskName);
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
  TaskFrame &frame;
  /// Values from outside that the body or the bounds use. Constants are cloned.
  SmallVector<Value> captures;
  SmallVector<Operation *> constants;
};

} // namespace

LogicalResult TaskFrame::add(scf::ParallelOp loop, Value value) {
  if (places.contains(value))
    return success();
  auto type = CapturedType::get(converter, value.getType());
  if (!type)
    return loop.emitOpError("uses a value of type ")
           << value.getType() << ", which no task can capture";
  places.insert({value, {*type, int32_t(fieldTypes.size())}});
  llvm::append_range(fieldTypes, type->getFieldTypes());
  return success();
}

/// The address of a field of the block at `memory`.
Value TaskFrame::getField(ImplicitLocOpBuilder &b, Value memory,
                          int32_t number) {
  return LLVM::GEPOp::create(b, memory.getType(), getType(), memory,
                             ArrayRef<LLVM::GEPArg>{0, number});
}

void TaskFrame::create() {
  // In the entry block, so that a loop around takes no more stack.
  ImplicitLocOpBuilder b(function.getLoc(), function.getContext());
  b.setInsertionPointToStart(&function.getBody().front());
  Value one =
      LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(1));
  memory = LLVM::AllocaOp::create(b, LLVM::LLVMPointerType::get(b.getContext()),
                                  getType(), one,
                                  /*alignment=*/64);
  for (auto &[value, place] : places) {
    if (value.getParentBlock() == memory.getParentBlock() &&
        isa<BlockArgument>(value))
      b.setInsertionPointAfterValue(memory);
    else
      b.setInsertionPointAfterValue(value);
    int32_t number = place.firstField;
    for (Value field : place.type.split(b, value))
      LLVM::StoreOp::create(b, field, getField(b, memory, number++));
  }
}

Value TaskFrame::load(ImplicitLocOpBuilder &b, Value memory, Value value) {
  const Place &place = places.find(value)->second;
  int32_t number = place.firstField;
  SmallVector<Value> fields;
  for (Type type : place.type.getFieldTypes())
    fields.push_back(
        LLVM::LoadOp::create(b, type, getField(b, memory, number++)));
  return place.type.join(b, fields);
}

LogicalResult TaskOutliner::collectCaptures() {
  if (!loop.getInitVals().empty())
    return loop.emitOpError("has reductions, which tasks cannot combine");
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
    if (failed(frame.add(loop, value)))
      return failure();
    captures.push_back(value);
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
  for (Value value : captures)
    mapping.map(value, frame.load(b, function.getArgument(0), value));
  for (Operation *constant : constants)
    b.clone(*constant, mapping);
  Value task =
      arith::IndexCastOp::create(b, b.getIndexType(), function.getArgument(1));
  createRows(b, mapping, task);
  func::ReturnOp::create(b);
}

/// Hands the tasks to the runtime.
void TaskOutliner::createCall(StringRef taskName) {
  MLIRContext *context = module.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
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
                       ValueRange{address, frame.getMemory(), count});
}

void TaskOutliner::outline(StringRef taskName) {
  createTask(taskName);
  createCall(taskName);
  loop.erase();
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

/// Innermost iterations that a task of `loop` is to have are `grain`: how many
/// of its own that makes.
static int64_t getTaskRows(scf::ParallelOp loop, int64_t grain) {
  auto own =
      loop->getAttrOfType<IntegerAttr>(BoostrDialect::getGrainAttrName());
  return own ? own.getInt()
             : std::max<int64_t>(grain / estimateIterations(loop), 1);
}

/// Outlines the loops of `function`.
static LogicalResult outlineLoops(ModuleOp module, func::FuncOp function,
                                  ArrayRef<scf::ParallelOp> loops,
                                  int64_t grain) {
  TaskFrame frame(function);
  SmallVector<TaskOutliner, 0> outliners;
  for (scf::ParallelOp loop : loops) {
    outliners.emplace_back(module, loop, getTaskRows(loop, grain), frame);
    if (failed(outliners.back().collectCaptures()))
      return failure();
  }
  frame.create();
  for (TaskOutliner &outliner : outliners) {
    unsigned number = 0;
    auto name = SymbolTable::generateSymbolName<64>(
        (function.getName() + "__task").str(),
        [&](StringRef candidate) {
          return module.lookupSymbol(candidate) != nullptr;
        },
        number);
    outliner.outline(name);
  }
  return success();
}

void ParallelToRuntime::runOnOperation() {
  ModuleOp module = getOperation();
  llvm::MapVector<func::FuncOp, SmallVector<scf::ParallelOp>> loops;
  auto collected = module.walk<WalkOrder::PreOrder>([&](scf::ParallelOp loop) {
    auto function = loop->getParentOfType<func::FuncOp>();
    if (!function) {
      loop.emitOpError("expected inside a function");
      return WalkResult::interrupt();
    }
    loops[function].push_back(loop);
    // Loops inside run in one task, one after the other.
    return WalkResult::skip();
  });
  if (collected.wasInterrupted())
    return signalPassFailure();
  if (loops.empty())
    return;
  declareParallelFor(module);
  for (auto &[function, ofFunction] : loops)
    if (failed(outlineLoops(module, function, ofFunction, grain)))
      return signalPassFailure();
}
