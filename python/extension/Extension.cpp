// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The extension module boostr._core: the compiler and the runtime for Python.

#include "Compile.h"
#include "Context.h"
#include "Function.h"
#include "JaxFfi.h"
#include "Tensor.h"
#include "TorchOps.h"
#include <dlfcn.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace nb::literals;
using namespace boostr_python;

/// The file that the runtime was loaded from.
static std::string getRuntimeLibrary() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&boostr_abi_version), &info))
    return "";
  return info.dli_fname;
}

static CompileResult
compileSource(const nb::bytes &source, const std::string &name,
              const std::string &target, const std::string &contractions,
              const std::string &f32Precision, const std::string &gemm,
              const std::string &ptxas, const std::string &cacheFolder,
              uint64_t cacheBytes, const std::string &output) {
  CompileRequest request;
  request.source.assign(source.c_str(), source.size());
  request.name = name;
  request.target = target;
  request.contractions = contractions;
  request.f32Precision = f32Precision;
  request.gemm = gemm;
  request.ptxas = ptxas;
  request.runtimeLibrary = getRuntimeLibrary();
  request.cacheFolder = cacheFolder;
  request.cacheBytes = cacheBytes;
  request.output = output;
  nb::gil_scoped_release release;
  return compile(request);
}

static RunPassesResult runPassesOn(const nb::bytes &bytes,
                                   const std::string &name,
                                   const std::string &pipeline) {
  std::string source(bytes.c_str(), bytes.size());
  nb::gil_scoped_release release;
  return runPasses(source, name, pipeline);
}

/// What compilers call the chip of a device, as in "sm_90a".
static std::string getChip(int32_t device) {
  int32_t capability = 0;
  check(boostr_cuda_compute_capability(device, &capability));
  // From 9.0 on, what is fastest is for the very chip.
  return "sm_" + std::to_string(capability) + (capability >= 90 ? "a" : "");
}

/// Waits for the work on a stream of a device.
static void synchronize(int32_t device, uintptr_t stream) {
  boostr_status status;
  {
    nb::gil_scoped_release release;
    status = boostr_cuda_synchronize(device, reinterpret_cast<void *>(stream));
  }
  check(status);
}

/// As compilers print it.
static std::string describe(const Diagnostic &diagnostic) {
  return diagnostic.file + ":" + std::to_string(diagnostic.line) + ":" +
         std::to_string(diagnostic.column) + ": " + diagnostic.severity + ": " +
         diagnostic.message;
}

NB_MODULE(_core, module) {
  // Compiled functions are kept for the life of the process.
  nb::set_leak_warnings(false);
  module.attr("__version__") = BOOSTR_VERSION;
  nb::class_<Diagnostic>(module, "Diagnostic",
                         "An error, warning, note or remark of the compiler.")
      .def_ro("severity", &Diagnostic::severity)
      .def_ro("file", &Diagnostic::file)
      .def_ro("line", &Diagnostic::line)
      .def_ro("column", &Diagnostic::column)
      .def_ro("message", &Diagnostic::message)
      .def("__repr__", &describe);
  nb::class_<Diagnostics>(module, "Diagnostics")
      .def_ro("entries", &Diagnostics::list)
      .def_ro("text", &Diagnostics::text);
  nb::class_<CompileResult>(module, "CompileResult")
      .def_ro("path", &CompileResult::path)
      .def_ro("failed", &CompileResult::failed)
      .def_ro("was_cached", &CompileResult::wasCached)
      .def_ro("diagnostics", &CompileResult::diagnostics);
  nb::class_<RunPassesResult>(module, "RunPassesResult")
      .def_ro("text", &RunPassesResult::text)
      .def_ro("failed", &RunPassesResult::failed)
      .def_ro("diagnostics", &RunPassesResult::diagnostics);
  module.def("compile", &compileSource, nb::kw_only(), "source"_a, "name"_a,
             "target"_a, "contractions"_a, "f32_precision"_a, "gemm"_a,
             "ptxas"_a, "cache_folder"_a, "cache_bytes"_a, "output"_a);
  module.def("run_passes", &runPassesOn, "source"_a, "name"_a, "pipeline"_a);
  module.def("cuda_chip", &getChip, "device"_a);
  module.def("cuda_synchronize", &synchronize, "device"_a, "stream"_a);
  defineContext(module);
  defineFunction(module);
  defineTorchOps(module);
#if BOOSTR_HAS_XLA_FFI
  defineJaxFfi(module);
#endif
}
