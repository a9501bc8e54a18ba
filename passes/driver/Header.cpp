// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/Header.h"
#include "boostr/dialect/ShapeCheck.h"
#include "boostr/passes/export/CNames.h"
#include "boostr/passes/export/Signature.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::boostr;

/// `path` as an include guard: its file name in capitals.
static std::string getGuard(StringRef path) {
  std::string guard = "BOOSTR_MODULE_";
  for (char c : llvm::sys::path::filename(path))
    guard += llvm::isAlnum(c) ? llvm::toUpper(c) : '_';
  return guard;
}

/// ` *   input: f32 [?, ?, 384]`
static void printTensors(llvm::raw_ostream &os, StringRef title,
                         ArrayRef<std::string> names,
                         ArrayRef<RankedTensorType> types) {
  for (auto [name, type] : llvm::zip_equal(names, types))
    os << " *   " << title << " " << name << ": " << type.getElementType()
       << " " << formatShape(type.getShape()) << "\n";
}

/// `const boostr_memref_3d *input`
static void printParameters(llvm::raw_ostream &os, StringRef qualifier,
                            ArrayRef<std::string> names,
                            ArrayRef<RankedTensorType> types,
                            llvm::ListSeparator &separator) {
  for (auto [name, type] : llvm::zip_equal(names, types))
    os << separator << qualifier << "boostr_memref_" << type.getRank() << "d *"
       << name;
}

static void printFunction(llvm::raw_ostream &os, StringRef name,
                          const Signature &signature) {
  SmallVector<StringRef> names(signature.inputNames);
  llvm::append_range(names, signature.outputNames);
  SmallVector<std::string> parameters = getParameterNames(names);
  auto inputNames =
      ArrayRef<std::string>(parameters).take_front(signature.inputs.size());
  auto outputNames =
      ArrayRef<std::string>(parameters).take_back(signature.outputs.size());
  os << "\n/* " << name << "\n *\n";
  printTensors(os, "in ", inputNames, signature.inputs);
  printTensors(os, "out", outputNames, signature.outputs);
  for (auto [name, layout] : llvm::zip(inputNames, signature.inputLayouts))
    if (!layout.empty())
      os << " *\n * " << name
         << " is what the function that packs it wrote:\n * " << layout << "\n";
  os << " *\n * " << name
     << " checks nothing: extents must agree, strides be those of compact "
        "rows.\n"
        " * "
     << name << "_dlpack checks everything before it writes. */\n"
     << "extern const boostr_function " << name << "_function;\n"
     << "boostr_status " << name << "(";
  llvm::ListSeparator separator;
  printParameters(os, "const ", inputNames, signature.inputs, separator);
  printParameters(os, "const ", outputNames, signature.outputs, separator);
  if (signature.inputs.empty() && signature.outputs.empty())
    os << "void";
  os << ");\n"
     << "boostr_status " << name
     << "_dlpack(boostr_context *context,\n    const DLTensor *const *inputs, "
        "int32_t num_inputs,\n    const DLTensor *const *outputs, int32_t "
        "num_outputs);\n";
}

void mlir::boostr::printHeader(ModuleOp module, StringRef path, bool isCuda,
                               llvm::raw_ostream &os) {
  std::string guard = getGuard(path);
  os << "/* Made by boostr-compile. */\n\n#ifndef " << guard << "\n#define "
     << guard
     << "\n\n#include \"boostr/runtime/boostr_runtime.h\"\n\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
        "\n";
  if (isCuda)
    os << "/* Tensors are in memory of a CUDA device. Calls queue their work "
          "on "
          "the legacy\n * default stream and do not wait for it; "
          "boostr_invoke_on_stream and\n * boostr_call_on_stream take another "
          "stream and the descriptions of functions\n * below. */\n\n";
  os << "/* All functions of the module; a null pointer ends the list. */\n"
        "extern const boostr_function *const boostr_module_functions[];\n";
  for (auto function : module.getOps<FunctionOpInterface>())
    if (std::optional<Signature> signature = readSignature(function))
      printFunction(os, cast<SymbolOpInterface>(*function).getName(),
                    *signature);
  os << "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << guard << " */\n";
}
