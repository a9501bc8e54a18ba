// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a public function looks like to its callers, before and after its types
// are lowered away.

#ifndef BOOSTR_PASSES_EXPORT_SIGNATURE_H
#define BOOSTR_PASSES_EXPORT_SIGNATURE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include <optional>
#include <string>

namespace mlir::boostr {

/// An element type as the runtime's interface describes it, a `DLDataType` of
/// one lane.
struct ElementCode {
  uint8_t code = 0;
  uint8_t bits = 0;
};

/// The code of `type`; nothing if the interface has none for it.
std::optional<ElementCode> getElementCode(Type type);

/// The name of an argument: its `boostr.name`, else the name in its location,
/// else `arg<number>`.
std::string getArgumentName(func::FuncOp function, unsigned number);

/// The name of a result: its `boostr.name`, else `result<number>`.
std::string getResultName(func::FuncOp function, unsigned number);

/// Fails, with a diagnostic that names the function and the argument or result,
/// unless callers in other languages can be told of all of them: ranked tensors
/// of few enough dimensions and of an element type that has a code. The
/// function's own name has to be fit for C.
LogicalResult checkSignature(func::FuncOp function);

/// A function's inputs and outputs, as written down by `recordSignature`.
struct Signature {
  SmallVector<RankedTensorType> inputs, outputs;
  SmallVector<StringRef> inputNames, outputNames;
  /// How inputs are packed, in words of `#boostr.packed_layout`; "" for those
  /// that are not, and no entry at all if none is.
  SmallVector<StringRef> inputLayouts;
};

/// Writes down, as attributes that outlive all lowering, the types and names of
/// the arguments and results.
void recordSignature(func::FuncOp function);

/// Reads what `recordSignature` wrote; nothing if that is not there or is not
/// what it writes.
std::optional<Signature> readSignature(FunctionOpInterface function);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_EXPORT_SIGNATURE_H
