// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "NpyFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Regex.h"

using namespace npy;
using llvm::StringRef;

static constexpr llvm::StringLiteral kMagic = "\x93NUMPY";

static llvm::Error makeError(StringRef path, const llvm::Twine &message) {
  return llvm::createStringError("'" + path + "': " + message);
}

/// The text between magic and data, and the data.
static llvm::Expected<std::pair<StringRef, StringRef>>
splitHeader(StringRef path, StringRef bytes) {
  if (!bytes.consume_front(kMagic) || bytes.size() < 4)
    return makeError(path, "expected a .npy file, got something else");
  unsigned version = static_cast<unsigned char>(bytes[0]);
  if (version < 1 || version > 3)
    return makeError(path,
                     "expected version 1, 2 or 3 of the .npy format, got " +
                         llvm::Twine(version));
  bytes = bytes.drop_front(2);
  size_t lengthBytes = version == 1 ? 2 : 4;
  if (bytes.size() < lengthBytes)
    return makeError(path, "the header is cut short");
  size_t length = version == 1 ? llvm::support::endian::read16le(bytes.data())
                               : llvm::support::endian::read32le(bytes.data());
  bytes = bytes.drop_front(lengthBytes);
  if (bytes.size() < length)
    return makeError(path, "the header is cut short");
  return std::make_pair(bytes.take_front(length), bytes.drop_front(length));
}

/// What stands between the parentheses of `(2, 3)`, `(5,)` or `()`.
static bool parseShape(StringRef text, llvm::SmallVectorImpl<int64_t> &shape) {
  if (text.trim().empty())
    return true;
  llvm::SmallVector<StringRef> parts;
  text.split(parts, ',');
  // Python ends a tuple by a comma if it likes, and has to if there is one
  // item.
  if (parts.size() > 1 && parts.back().trim().empty())
    parts.pop_back();
  return llvm::all_of(parts, [&](StringRef part) {
    return !part.trim().getAsInteger(10, shape.emplace_back()) &&
           shape.back() >= 0;
  });
}

/// The value of `key` in the header's dictionary.
static std::optional<StringRef> getValue(StringRef header, StringRef key,
                                         StringRef pattern) {
  llvm::SmallVector<StringRef> groups;
  llvm::Regex regex(("'" + key + "': *" + pattern).str());
  if (!regex.match(header, &groups))
    return std::nullopt;
  return groups[1];
}

/// Bytes of one element of a type code such as `<f4`, 0 if it has no such form.
static size_t getElementSize(StringRef typeCode) {
  size_t size = 0;
  if (typeCode.size() < 3 || typeCode.drop_front(2).getAsInteger(10, size))
    return 0;
  return size;
}

llvm::Expected<NpyArray> npy::readNpy(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError(path, buffer.getError().message());
  auto parts = splitHeader(path, (*buffer)->getBuffer());
  if (!parts)
    return parts.takeError();
  auto [header, data] = *parts;

  NpyArray array;
  array.typeCode = getValue(header, "descr", "'([^']*)'").value_or("").str();
  auto order = getValue(header, "fortran_order", "(True|False)");
  auto shape = getValue(header, "shape", "\\(([^)]*)\\)");
  size_t elementSize = getElementSize(array.typeCode);
  if (elementSize == 0 || !order || !shape || !parseShape(*shape, array.shape))
    return makeError(path, "the header has no plain type, order and shape: " +
                               header.trim());
  if (array.typeCode[0] == '>')
    return makeError(path,
                     "expected little-endian elements, got " + array.typeCode);
  if (*order == "True" && array.shape.size() > 1)
    return makeError(path, "expected C order, got Fortran order");

  auto bytes = static_cast<int64_t>(elementSize);
  for (int64_t extent : array.shape)
    if (llvm::MulOverflow(bytes, extent, bytes))
      return makeError(path, "the shape is too large");
  if (data.size() != static_cast<size_t>(bytes))
    return makeError(path, "expected " + llvm::Twine(bytes) +
                               " bytes of data for its shape, got " +
                               llvm::Twine(data.size()));
  array.data.assign(data.begin(), data.end());
  return array;
}

/// Everything that comes before the data.
static std::string formatHeader(const NpyOutput &output) {
  std::string header =
      ("{'descr': '" + output.typeCode + "', 'fortran_order': False, " +
       "'shape': (" +
       llvm::join(llvm::map_range(
                      output.shape,
                      [](int64_t extent) { return std::to_string(extent); }),
                  ", ") +
       (output.shape.size() == 1 ? ",), }" : "), }"))
          .str();
  // Data starts at a multiple of 64; a header this short fits version 1.
  size_t prefix = kMagic.size() + 4;
  header.append(llvm::alignTo(prefix + header.size() + 1, 64) - prefix -
                    header.size() - 1,
                ' ');
  header += '\n';
  char length[2];
  llvm::support::endian::write16le(length, header.size());
  return (kMagic + "\x01" + StringRef("\0", 1) + StringRef(length, 2) + header)
      .str();
}

namespace {

/// A file beside the one that it replaces in the end. Goes away unless it does.
class PendingFile {
public:
  static llvm::Expected<PendingFile> create(const NpyOutput &output);
  PendingFile(PendingFile &&) = default;
  ~PendingFile() {
    if (file)
      llvm::consumeError(file->discard());
  }

  llvm::Error commit() {
    llvm::Error error = file->keep(path);
    file.reset();
    return error ? makeError(path, llvm::toString(std::move(error)))
                 : llvm::Error::success();
  }

private:
  PendingFile(StringRef path, llvm::sys::fs::TempFile file)
      : path(path),
        file(std::make_unique<llvm::sys::fs::TempFile>(std::move(file))) {}

  StringRef path;
  std::unique_ptr<llvm::sys::fs::TempFile> file;
};

} // namespace

llvm::Expected<PendingFile> PendingFile::create(const NpyOutput &output) {
  // A rename would take the place of a device.
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(output.path, status) &&
      !llvm::sys::fs::is_regular_file(status))
    return makeError(output.path, "expected a file, got something else");
  auto file = llvm::sys::fs::TempFile::create(output.path + ".%%%%%%.part");
  if (!file)
    return makeError(output.path, llvm::toString(file.takeError()));
  PendingFile pending(output.path, std::move(*file));
  llvm::raw_fd_ostream os(pending.file->FD, /*shouldClose=*/false);
  os << formatHeader(output) << output.bytes;
  os.flush();
  if (std::error_code error = os.error()) {
    os.clear_error();
    return makeError(output.path, error.message());
  }
  return pending;
}

llvm::Error npy::writeNpy(llvm::ArrayRef<NpyOutput> outputs) {
  std::vector<PendingFile> files;
  for (const NpyOutput &output : outputs) {
    auto file = PendingFile::create(output);
    if (!file)
      return file.takeError();
    files.push_back(std::move(*file));
  }
  for (PendingFile &file : files)
    if (llvm::Error error = file.commit())
      return error;
  return llvm::Error::success();
}
