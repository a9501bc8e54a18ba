// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/Ptxas.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir::boostr;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Where it is
//===----------------------------------------------------------------------===//

/// The toolkit that `ptxas` is part of, also if that is a link.
static CudaToolkit getToolkitOf(StringRef ptxas) {
  llvm::SmallString<128> path(ptxas);
  if (llvm::sys::fs::real_path(ptxas, path))
    path = ptxas;
  StringRef root =
      llvm::sys::path::parent_path(llvm::sys::path::parent_path(path));
  return {root.str(), ptxas.str()};
}

CudaToolkit CudaToolkit::find(StringRef ptxas) {
  if (!ptxas.empty())
    return getToolkitOf(ptxas);
  if (auto path = llvm::sys::findProgramByName("ptxas"))
    return getToolkitOf(*path);
  llvm::SmallVector<std::string> roots;
  for (const char *name : {"CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"})
    if (std::optional<std::string> value = llvm::sys::Process::GetEnv(name))
      roots.push_back(*value);
  roots.push_back("/usr/local/cuda");
  for (const std::string &root : roots) {
    llvm::SmallString<128> path(root);
    llvm::sys::path::append(path, "bin", "ptxas");
    if (llvm::sys::fs::can_execute(path))
      return {root, path.str().str()};
  }
  return {};
}

std::string CudaToolkit::getLibdevice() const {
  llvm::SmallString<128> path(root);
  llvm::sys::path::append(path, "nvvm", "libdevice", "libdevice.10.bc");
  return llvm::sys::fs::exists(path) ? path.str().str() : std::string();
}

//===----------------------------------------------------------------------===//
// What it says
//===----------------------------------------------------------------------===//

/// The number before `unit` in `line`; 0 if it is not there.
static int64_t readNumberBefore(StringRef line, StringRef unit) {
  size_t end = line.find(unit);
  if (end == StringRef::npos)
    return 0;
  StringRef digits = line.take_front(end).rtrim();
  size_t start = digits.find_last_not_of("0123456789");
  int64_t number = 0;
  digits.drop_front(start + 1).getAsInteger(10, number);
  return number;
}

/// One line, as in `ptxas info    : Used 168 registers, used 9 barriers, 16
/// bytes smem`, of what is said of `kernel`.
static void readLine(StringRef line, std::string &kernel,
                     AssembledModule &module) {
  if (line.contains("Compiling entry function"))
    kernel = line.split('\'').second.split('\'').first.str();
  KernelResources &resources = module.kernels[kernel];
  if (line.contains("bytes stack frame")) {
    resources.stackBytes = readNumberBefore(line, "bytes stack frame");
    resources.spillStoreBytes = readNumberBefore(line, "bytes spill stores");
    resources.spillLoadBytes = readNumberBefore(line, "bytes spill loads");
  } else if (line.contains("Used") && line.contains(" registers")) {
    resources.registers = readNumberBefore(line, "registers");
    resources.sharedBytes = readNumberBefore(line, "bytes smem");
  } else if (line.contains("warning") ||
             line.contains("Potential Performance Loss")) {
    module.warnings.push_back(line.split(':').second.trim().str());
  }
}

void mlir::boostr::readPtxasOutput(StringRef output, AssembledModule &module) {
  std::string kernel;
  for (StringRef line : llvm::split(output, '\n'))
    readLine(line, kernel, module);
  // What is said of no kernel.
  module.kernels.erase("");
}

//===----------------------------------------------------------------------===//
// Running it
//===----------------------------------------------------------------------===//

namespace {

/// A file that goes away.
struct TemporaryFile {
  llvm::SmallString<128> path;
  llvm::FileRemover remover;

  llvm::Error create(StringRef suffix, StringRef contents = "") {
    int descriptor = -1;
    if (std::error_code error = llvm::sys::fs::createTemporaryFile(
            "boostr", suffix, descriptor, path))
      return llvm::createStringError("cannot create a temporary file: " +
                                     error.message());
    remover.setFile(path);
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    os << contents;
    os.flush();
    if (!os.has_error())
      return llvm::Error::success();
    std::string message = os.error().message();
    os.clear_error();
    return llvm::createStringError("cannot write '" + path + "': " + message);
  }

  llvm::Expected<std::string> read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    if (!buffer)
      return llvm::createStringError("cannot read '" + path +
                                     "': " + buffer.getError().message());
    return (*buffer)->getBuffer().str();
  }
};

} // namespace

/// Kernels on threads of their own, as many as there are processors: the code
/// is the same. Assemblers of the first versions of CUDA 12 have no such
/// option.
static constexpr llvm::StringLiteral kSplitCompile = "--split-compile";

namespace {

/// One run of the assembler.
struct Assembly {
  int status = 0;
  std::string message, output;
  AssembledModule module;

  bool isOptionUnknown(StringRef option) const {
    return status != 0 && StringRef(output).contains("Unknown option") &&
           StringRef(output).contains(option.ltrim('-'));
  }
};

} // namespace

static llvm::Expected<Assembly> assemble(llvm::ArrayRef<StringRef> options,
                                         StringRef source) {
  TemporaryFile object, output;
  if (llvm::Error error = object.create("cubin"))
    return std::move(error);
  if (llvm::Error error = output.create("txt"))
    return std::move(error);
  llvm::SmallVector<StringRef> arguments(options);
  arguments.append({source, "-o", object.path});
  Assembly run;
  run.status = llvm::sys::ExecuteAndWait(
      options.front(), arguments, /*Env=*/std::nullopt,
      /*Redirects=*/{StringRef(""), output.path, output.path},
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &run.message);
  auto text = output.read();
  if (!text)
    return text.takeError();
  run.output = std::move(*text);
  if (run.status != 0)
    return run;
  auto cubin = object.read();
  if (!cubin)
    return cubin.takeError();
  run.module.cubin = std::move(*cubin);
  readPtxasOutput(run.output, run.module);
  return run;
}

llvm::Expected<AssembledModule> mlir::boostr::runPtxas(StringRef ptxas,
                                                       StringRef ptx,
                                                       StringRef chip,
                                                       StringRef options) {
  TemporaryFile source;
  if (llvm::Error error = source.create("ptx", ptx))
    return std::move(error);
  llvm::SmallVector<StringRef> arguments = {ptxas, "-v", "-arch", chip};
  llvm::SplitString(options, arguments);
  std::string split = (kSplitCompile + "=0").str();
  bool addsSplit = !options.contains("split-compile");
  if (addsSplit)
    arguments.push_back(split);
  auto run = assemble(arguments, source.path);
  if (run && addsSplit && run->isOptionUnknown(kSplitCompile)) {
    arguments.pop_back();
    run = assemble(arguments, source.path);
  }
  if (!run)
    return run.takeError();
  if (run->status != 0)
    return llvm::createStringError("'" + ptxas + "' failed: " + run->message +
                                   run->output);
  return std::move(run->module);
}
