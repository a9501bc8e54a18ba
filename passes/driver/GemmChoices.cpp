// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/GemmChoices.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

using namespace mlir;
using namespace mlir::boostr;
namespace json = llvm::json;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

std::string
mlir::boostr::getMeasuredKey(StringRef function,
                             ArrayRef<SmallVector<int64_t>> shapes) {
  auto describe = [](ArrayRef<int64_t> shape) {
    return llvm::join(llvm::map_range(shape,
                                      [](int64_t extent) {
                                        return std::to_string(
                                            llvm::PowerOf2Ceil(extent));
                                      }),
                      "x");
  };
  // Keys of JSON are UTF-8.
  return json::fixUTF8((function + "(" +
                        llvm::join(llvm::map_range(shapes, describe), ";") +
                        ")")
                           .str());
}

static std::string hash(ArrayRef<StringRef> parts) {
  llvm::SHA256 hash;
  for (StringRef part : parts) {
    hash.update(std::to_string(part.size()) + ":");
    hash.update(part);
  }
  return llvm::toHex(hash.final(), /*LowerCase=*/true).substr(0, 32);
}

GemmChoices::GemmChoices(StringRef folder, StringRef source,
                         const TargetOptions &options) {
  if (folder.empty())
    return;
  const CudaPipelineOptions &cuda = options.cuda;
  std::string chip = cuda.chip;
  if (!cuda.features.empty())
    chip += "," + cuda.features;
  StringRef contractions =
      cuda.contractions == ContractionLowering::Linalg ? "linalg" : "generated";
  std::string name =
      hash({source, chip, contractions,
            stringifyF32Precision(cuda.f32Precision), BOOSTR_VERSION});
  SmallString<128> file(folder);
  llvm::sys::path::append(file, "measured-" + name + ".json");
  path = file.str().str();
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// What is in the file; nothing if it is none of ours.
static json::Object read(StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return {};
  auto value = json::parse((*file)->getBuffer());
  if (!value) {
    llvm::consumeError(value.takeError());
    return {};
  }
  json::Object *object = value->getAsObject();
  return object ? std::move(*object) : json::Object();
}

std::optional<Gemm> GemmChoices::get(StringRef key) const {
  if (path.empty())
    return std::nullopt;
  json::Object known = read(path);
  std::optional<StringRef> way = known.getString(key);
  std::optional<Gemm> gemm = symbolizeGemm(way.value_or(""));
  return gemm == Gemm::Auto ? std::nullopt : gemm;
}

void GemmChoices::set(StringRef key, Gemm way) const {
  if (path.empty() || llvm::sys::fs::create_directories(
                          llvm::sys::path::parent_path(path),
                          /*IgnoreExisting=*/true, llvm::sys::fs::owner_all))
    return;
  // Another process may have written others meanwhile.
  json::Object known = read(path);
  known[key] = stringifyGemm(way);
  auto file = llvm::sys::fs::TempFile::create(path + ".%%%%%%.part");
  if (!file)
    return llvm::consumeError(file.takeError());
  llvm::raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  os << llvm::formatv("{0:1}", json::Value(std::move(known)));
  os.flush();
  bool isWritten = !os.has_error();
  os.clear_error();
  llvm::consumeError(isWritten ? file->keep(path) : file->discard());
}
