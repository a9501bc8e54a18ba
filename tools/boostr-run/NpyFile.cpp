// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "NpyFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileUtilities.h"
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

/// `(2, 3)`, `(5,)` or `()`.
static bool parseShape(StringRef text, llvm::SmallVectorImpl<int64_t> &shape) {
  llvm::SmallVector<StringRef> parts;
  text.split(parts, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    int64_t extent;
    if (part.trim().empty())
      continue;
    if (part.trim().getAsInteger(10, extent) || extent < 0)
      return false;
    shape.push_back(extent);
  }
  return true;
}

/// The value of `key` in the header's dictionary.
static StringRef getValue(StringRef header, StringRef key, StringRef pattern) {
  llvm::SmallVector<StringRef> groups;
  llvm::Regex regex(("'" + key + "': *" + pattern).str());
  return regex.match(header, &groups) ? groups[1] : StringRef();
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
  array.typeCode = getValue(header, "descr", "'([^']*)'").str();
  StringRef order = getValue(header, "fortran_order", "(True|False)");
  bool hasShape =
      parseShape(getValue(header, "shape", "\\(([^)]*)\\)"), array.shape);
  size_t elementSize = getElementSize(array.typeCode);
  if (elementSize == 0 || order.empty() || !hasShape)
    return makeError(path, "the header has no plain type, order and shape: " +
                               header.trim());
  if (array.typeCode[0] == '>')
    return makeError(path,
                     "expected little-endian elements, got " + array.typeCode);
  if (order == "True" && array.shape.size() > 1)
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

llvm::Error npy::writeNpy(StringRef path, StringRef typeCode,
                          llvm::ArrayRef<int64_t> shape, StringRef bytes) {
  std::string header =
      ("{'descr': '" + typeCode + "', 'fortran_order': False, 'shape': (" +
       llvm::join(
           llvm::map_range(
               shape, [](int64_t extent) { return std::to_string(extent); }),
           ", ") +
       (shape.size() == 1 ? ",), }" : "), }"))
          .str();
  // Data starts at a multiple of 64; a header this short fits version 1.
  size_t prefix = kMagic.size() + 4;
  header.append(llvm::alignTo(prefix + header.size() + 1, 64) - prefix -
                    header.size() - 1,
                ' ');
  header += '\n';
  char length[2];
  llvm::support::endian::write16le(length, header.size());
  return llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    os << kMagic << '\x01' << '\0' << StringRef(length, 2) << header << bytes;
    return llvm::Error::success();
  });
}
