// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the ops of the dialect describe themselves to code generators.

#ifndef BOOSTR_DIALECT_SEGMENTEDCONTRACTIONOPINTERFACE_TD
#define BOOSTR_DIALECT_SEGMENTEDCONTRACTIONOPINTERFACE_TD

include "mlir/IR/OpBase.td"

def SegmentedContractionOpInterface
    : OpInterface<"SegmentedContractionOpInterface"> {
  let description = [{
    An op that is a list of segmented contractions with an epilogue (see
    `SegmentedContraction.h`). Whoever lowers the op needs nothing but that
    list: the linalg lowering, the CPU and the GPU code generators work for
    every op that implements this interface.
  }];
  let cppNamespace = "::mlir::boostr";
  let methods = [
    InterfaceMethod<[{
        The contractions that together compute every result. Arrays of a
        description are operands of the op; results are named by number, which
        in buffer form is the position in `getDestinations()`.
      }],
      "::llvm::SmallVector<::mlir::boostr::SegmentedContraction, 0>",
      "getContractions">,
    InterfaceMethod<[{
        One entry per result of the value form. In value form: the tensor that the
        result starts from if it accumulates in place, otherwise null. In buffer
        form: the memref that receives the result, never null.
      }],
      "::llvm::SmallVector<::mlir::Value>", "getDestinations">,
    InterfaceMethod<[{
        True if the op is in buffer form: memref operands, no results.
      }],
      "bool", "isBufferForm", (ins), "", [{
        return ::llvm::isa<::mlir::MemRefType>($_op->getOperand(0).getType());
      }]>,
  ];
}

#endif // BOOSTR_DIALECT_SEGMENTEDCONTRACTIONOPINTERFACE_TD
