// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/BoostrDialect.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace mlir::boostr;

#include "boostr/dialect/BoostrEnums.cpp.inc"

static ParseResult parseNumbers(AsmParser &parser,
                                SmallVector<int64_t> &numbers) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
    return parser.parseInteger(numbers.emplace_back());
  });
}

/// A list, or a single number, which is one of one, as earlier versions wrote
/// it.
static ParseResult parseNumberOrNumbers(AsmParser &parser,
                                        SmallVector<int64_t> &numbers) {
  int64_t number;
  OptionalParseResult single = parser.parseOptionalInteger(number);
  if (!single.has_value())
    return parseNumbers(parser, numbers);
  numbers = {number};
  return *single;
}

static ParseResult parsePrecision(AsmParser &parser, F32Precision &precision) {
  StringRef name;
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  std::optional<F32Precision> known = symbolizeF32Precision(name);
  if (!known)
    return parser.emitError(location)
           << "'precision' expected ieee, tf32 or tf32x3, got " << name;
  precision = *known;
  return success();
}

static ParseResult parseGemm(AsmParser &parser, Gemm &gemm) {
  StringRef name;
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  std::optional<Gemm> known = symbolizeGemm(name);
  if (!known)
    return parser.emitError(location)
           << "'gemm' expected generated, cublaslt or auto, got " << name;
  gemm = *known;
  return success();
}

/// `, name = value` as often as there is one. `parse` parses the value, or says
/// at the location that there is no such name.
static ParseResult
parseOptions(AsmParser &parser,
             llvm::function_ref<ParseResult(StringRef, SMLoc)> parse) {
  while (succeeded(parser.parseOptionalComma())) {
    StringRef name;
    SMLoc location = parser.getCurrentLocation();
    if (parser.parseKeyword(&name) || parser.parseEqual() ||
        parse(name, location))
      return failure();
  }
  return success();
}

/// `[[128, 128], [64, 64]]`.
static ParseResult parsePairs(AsmParser &parser,
                              SmallVector<int64_t> &numbers) {
  return parser.parseCommaSeparatedList(
      AsmParser::Delimiter::Square, [&]() -> ParseResult {
        SmallVector<int64_t> pair;
        SMLoc location = parser.getCurrentLocation();
        if (failed(parseNumbers(parser, pair)))
          return failure();
        if (pair.size() != 2)
          return parser.emitError(location)
                 << "expected 2 sizes [m, n], got " << pair.size();
        llvm::append_range(numbers, pair);
        return success();
      });
}

/// What a tile has only if it is not the usual, in any order: `, split = 8,
/// narrow = [64], few_rows = [1]`.
static ParseResult
parseGpuTileOptions(AsmParser &parser, int64_t &split,
                    SmallVector<int64_t> &narrow, SmallVector<int64_t> &rows,
                    SmallVector<int64_t> &warp, F32Precision &precision,
                    Gemm &gemm, int64_t &fewSteps, SmallVector<int64_t> &tall,
                    SmallVector<int64_t> &flat, SmallVector<int64_t> &small) {
  split = 1;
  fewSteps = 0;
  precision = F32Precision::Ieee;
  gemm = Gemm::Generated;
  return parseOptions(
      parser, [&](StringRef name, SMLoc location) -> ParseResult {
        if (name == "split")
          return parser.parseInteger(split);
        if (name == "narrow")
          return parseNumberOrNumbers(parser, narrow);
        if (name == "tall")
          return parseNumbers(parser, tall);
        if (name == "flat")
          return parseNumbers(parser, flat);
        if (name == "small")
          return parsePairs(parser, small);
        if (name == "few_rows")
          return parseNumbers(parser, rows);
        if (name == "few_steps")
          return parser.parseInteger(fewSteps);
        if (name == "warp")
          return parseNumbers(parser, warp);
        if (name == "precision")
          return parsePrecision(parser, precision);
        if (name == "gemm")
          return parseGemm(parser, gemm);
        return parser.emitError(location)
               << "expected 'split', 'narrow', 'tall', 'flat', 'small', "
                  "'few_rows', 'few_steps', 'warp', 'precision' or 'gemm', got "
               << name;
      });
}

static void printNumbers(AsmPrinter &printer, StringRef name,
                         ArrayRef<int64_t> numbers) {
  if (numbers.empty())
    return;
  printer << ", " << name << " = [";
  llvm::interleaveComma(numbers, printer);
  printer << "]";
}

static void printPairs(AsmPrinter &printer, StringRef name,
                       ArrayRef<int64_t> numbers) {
  if (numbers.empty())
    return;
  printer << ", " << name << " = [";
  for (size_t i = 0; i < numbers.size(); i += 2)
    printer << (i == 0 ? "[" : ", [") << numbers[i] << ", " << numbers[i + 1]
            << "]";
  printer << "]";
}

static void printGpuTileOptions(AsmPrinter &printer, int64_t split,
                                ArrayRef<int64_t> narrow,
                                ArrayRef<int64_t> rows, ArrayRef<int64_t> warp,
                                F32Precision precision, Gemm gemm,
                                int64_t fewSteps, ArrayRef<int64_t> tall,
                                ArrayRef<int64_t> flat,
                                ArrayRef<int64_t> small) {
  if (split != 1)
    printer << ", split = " << split;
  printNumbers(printer, "narrow", narrow);
  printNumbers(printer, "tall", tall);
  printNumbers(printer, "flat", flat);
  printPairs(printer, "small", small);
  printNumbers(printer, "few_rows", rows);
  if (fewSteps != 0)
    printer << ", few_steps = " << fewSteps;
  printNumbers(printer, "warp", warp);
  if (precision != F32Precision::Ieee)
    printer << ", precision = " << stringifyF32Precision(precision);
  if (gemm != Gemm::Generated)
    printer << ", gemm = " << stringifyGemm(gemm);
}

static ParseResult parseBool(AsmParser &parser, bool &value) {
  value = succeeded(parser.parseOptionalKeyword("true"));
  if (value || succeeded(parser.parseOptionalKeyword("false")))
    return success();
  return parser.emitError(parser.getCurrentLocation(),
                          "expected 'true' or 'false'");
}

/// As for a GPU: `, cached_bytes = 4096, few_rows = [1]`.
static ParseResult parseCpuTileOptions(AsmParser &parser, int64_t &cachedBytes,
                                       SmallVector<int64_t> &rows,
                                       bool &streamsColumns) {
  cachedBytes = 0;
  streamsColumns = false;
  return parseOptions(
      parser, [&](StringRef name, SMLoc location) -> ParseResult {
        if (name == "cached_bytes")
          return parser.parseInteger(cachedBytes);
        if (name == "few_rows")
          return parseNumbers(parser, rows);
        if (name == "streams_columns")
          return parseBool(parser, streamsColumns);
        return parser.emitError(location)
               << "expected 'cached_bytes', 'few_rows' or 'streams_columns', "
                  "got "
               << name;
      });
}

static void printCpuTileOptions(AsmPrinter &printer, int64_t cachedBytes,
                                ArrayRef<int64_t> rows, bool streamsColumns) {
  if (cachedBytes != 0)
    printer << ", cached_bytes = " << cachedBytes;
  printNumbers(printer, "few_rows", rows);
  if (streamsColumns)
    printer << ", streams_columns = true";
}

#define GET_ATTRDEF_CLASSES
#include "boostr/dialect/BoostrAttrs.cpp.inc"

void BoostrDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "boostr/dialect/BoostrAttrs.cpp.inc"
      >();
}

LogicalResult
CpuTargetAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      StringRef cpu, StringRef features, int64_t vectorBits,
                      int64_t registers, int64_t l1Bytes, int64_t l2Bytes) {
  if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512)
    return emitError() << "'vector_bits' expected 128, 256 or 512, got "
                       << vectorBits;
  if (registers < 8)
    return emitError() << "'registers' expected at least 8, got " << registers;
  if (l1Bytes <= 0 || l2Bytes <= 0)
    return emitError() << "cache sizes expected positive, got " << l1Bytes
                       << " and " << l2Bytes;
  return success();
}

LogicalResult CpuTileAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  CpuKernel kernel, ArrayRef<int64_t> block,
                                  ArrayRef<int64_t> registerTile, int64_t lanes,
                                  int64_t packedBytes, int64_t cachedBytes,
                                  ArrayRef<int64_t> fewRows,
                                  bool streamsColumns) {
  if (block.size() != 3)
    return emitError() << "'block' expected 3 sizes [mc, nc, kc], got "
                       << block.size();
  if (registerTile.size() != 2)
    return emitError() << "'register' expected 2 sizes [rows, columns], got "
                       << registerTile.size();
  auto isPositive = [](int64_t size) { return size > 0; };
  if (!llvm::all_of(block, isPositive) ||
      !llvm::all_of(registerTile, isPositive) || !isPositive(lanes))
    return emitError() << "tile sizes expected positive";
  if (packedBytes < 0)
    return emitError() << "'packed_bytes' expected zero or more, got "
                       << packedBytes;
  if (cachedBytes < 0)
    return emitError() << "'cached_bytes' expected zero or more, got "
                       << cachedBytes;
  if (streamsColumns && kernel != CpuKernel::Amx)
    return emitError() << "'streams_columns' expected false with 'kernel' = "
                       << stringifyCpuKernel(kernel);
  int64_t fewer = 0;
  for (int64_t rows : fewRows) {
    if (rows <= fewer)
      return emitError() << "'few_rows' expected more than " << fewer
                         << ", got " << rows;
    fewer = rows;
  }

  auto expectDivides = [&](StringRef divisorName, int64_t divisor,
                           StringRef name, int64_t size) -> LogicalResult {
    if (size % divisor == 0)
      return success();
    return emitError() << "'" << name << "' expected a multiple of '"
                       << divisorName << "' = " << divisor << ", got " << size;
  };
  int64_t rows = registerTile[0], columns = registerTile[1];
  if (failed(expectDivides("lanes", lanes, "columns", columns)) ||
      failed(expectDivides("lanes", lanes, "mc", block[0])) ||
      failed(expectDivides("lanes", lanes, "nc", block[1])) ||
      failed(expectDivides("lanes", lanes, "kc", block[2])))
    return failure();
  if (!multipliesPairs(kernel))
    return success();
  if (lanes != 16)
    return emitError() << "'lanes' expected 16 with 'kernel' = "
                       << stringifyCpuKernel(kernel) << ", got " << lanes;
  if (kernel == CpuKernel::Amx &&
      failed(expectDivides("lanes", lanes, "rows", rows)))
    return failure();
  return expectDivides("two lanes", 2 * lanes, "kc", block[2]);
}

//===----------------------------------------------------------------------===//
// Packed layouts
//===----------------------------------------------------------------------===//

FloatType PackedLayoutAttr::getPanelType() const {
  Type type = getArray().getElementType();
  return multipliesPairs(getKernel()) ? cast<FloatType>(type)
                                      : getAccumulatorType(type);
}

int64_t PackedLayoutAttr::getStepsPerLane() const {
  return multipliesPairs(getKernel()) ? 2 : 1;
}

/// Blocks of dimension 0, none of which has rows of two ranges.
static int64_t countRowBlocks(ArrayRef<int64_t> rows, int64_t block) {
  return std::accumulate(rows.begin(), rows.end(), int64_t(0),
                         [&](int64_t sum, int64_t count) {
                           return sum + llvm::divideCeil(count, block);
                         });
}

int64_t PackedLayoutAttr::getNumBlocks() const {
  int64_t block = getBlock()[0];
  return getSide() == CpuPanelSide::Rows
             ? countRowBlocks(getRows(), block)
             : llvm::divideCeil(getArray().getDimSize(1), block);
}

int64_t PackedLayoutAttr::getNumSteps() const {
  int64_t block = getBlock()[1];
  return getSide() == CpuPanelSide::Rows
             ? llvm::divideCeil(getArray().getDimSize(1), block)
             : countRowBlocks(getRows(), block);
}

int64_t PackedLayoutAttr::getBlockSize() const {
  // Packing goes by whole vectors, the last of which may reach into a further
  // panel.
  int64_t filled = llvm::alignTo(getBlock()[0], getWidth());
  int64_t panels =
      llvm::divideCeil(llvm::alignTo(filled, getLanes()), getWidth());
  return panels * getWidth() * getBlock()[1];
}

std::string PackedLayoutAttr::getHeader() const {
  constexpr size_t kFixedBytes = 16, kAlignment = 64;
  std::string text;
  llvm::raw_string_ostream(text) << *this;
  std::string header(llvm::alignTo(kFixedBytes + text.size() + 1, kAlignment),
                     '\0');
  llvm::copy(StringRef("BOOSTRPK"), header.begin());
  llvm::support::endian::write64le(&header[8], header.size());
  llvm::copy(text, header.begin() + kFixedBytes);
  return header;
}

int64_t PackedLayoutAttr::getBytes() const {
  return getHeader().size() + getNumBlocks() * getNumSteps() * getBlockSize() *
                                  (getPanelType().getWidth() / 8);
}

LogicalResult PackedLayoutAttr::verify(
    function_ref<InFlightDiagnostic()> emitError, RankedTensorType array,
    CpuKernel kernel, CpuPanelSide side, int64_t width, ArrayRef<int64_t> block,
    int64_t lanes, ArrayRef<int64_t> rows) {
  Type type = array.getElementType();
  if (array.getRank() != 2 || !array.hasStaticShape() ||
      !isa<Float64Type, Float32Type, Float16Type, BFloat16Type>(type))
    return emitError() << "'array' expected two static dimensions of f64, f32, "
                          "f16 or bf16, got "
                       << array;
  if (multipliesPairs(kernel) && !type.isBF16())
    return emitError() << "'array' expected elements of type 'bf16' with "
                          "'kernel' = "
                       << stringifyCpuKernel(kernel) << ", got " << type;
  if (block.size() != 2)
    return emitError() << "'block' expected 2 sizes [nc, kc], got "
                       << block.size();
  if (width <= 0 || block[0] <= 0 || block[1] <= 0)
    return emitError() << "sizes expected positive";
  if (!llvm::isPowerOf2_64(lanes) || block[0] % lanes || block[1] % lanes)
    return emitError() << "'lanes' expected a power of two that divides nc and "
                          "kc, got "
                       << lanes;
  int64_t sum = 0;
  for (int64_t count : rows)
    if (count <= 0 || llvm::AddOverflow(sum, count, sum))
      return emitError() << "'rows' expected positive";
  if (sum != array.getDimSize(0))
    return emitError() << "'rows' expected " << array.getDimSize(0)
                       << " in all, got " << sum;
  // Blocks of both dimensions, the last of each range cut, of whole panels.
  double larger = std::max(block[0], block[1]);
  double elements = (array.getDimSize(0) + larger * rows.size()) *
                    (array.getDimSize(1) + larger) *
                    (1.0 + (2.0 * width + 2.0 * lanes) / block[0]);
  if (elements > double(int64_t(1) << 58))
    return emitError() << "'array' and sizes expected fewer than 2^58 "
                          "elements, got more";
  return success();
}

LogicalResult
GpuTargetAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      StringRef chip, StringRef features) {
  if (!chip.starts_with("sm_"))
    return emitError() << "'chip' expected a name like sm_90a, got '" << chip
                       << "'";
  return success();
}

static bool arePositiveAndIncrease(ArrayRef<int64_t> numbers) {
  int64_t previous = 0;
  return llvm::all_of(numbers, [&](int64_t number) {
    return std::exchange(previous, number) < number;
  });
}

GpuTileAttr GpuTileAttr::withFew(ArrayRef<int64_t> fewRows, int64_t fewSteps) {
  return get(getContext(), getKernel(), getBlock(), getStages(), getGroup(),
             getSplit(), getNarrow(), fewRows, getWarp(), getPrecision(),
             getGemm(), fewSteps, getTall(), getFlat(), getSmall());
}

GpuTileAttr GpuTileAttr::withGemm(Gemm gemm) {
  return get(getContext(), getKernel(), getBlock(), getStages(), getGroup(),
             getSplit(), getNarrow(), getFewRows(), getWarp(), getPrecision(),
             gemm, getFewSteps(), getTall(), getFlat(), getSmall());
}

GpuTileAttr GpuTileAttr::withFurtherTiles(ArrayRef<int64_t> narrow,
                                          ArrayRef<int64_t> tall,
                                          ArrayRef<int64_t> flat) {
  return get(getContext(), getKernel(), getBlock(), getStages(), getGroup(),
             getSplit(), narrow, getFewRows(), getWarp(), getPrecision(),
             getGemm(), getFewSteps(), tall, flat, getSmall());
}

GpuTileAttr GpuTileAttr::withSplit(int64_t split) {
  return get(getContext(), getKernel(), getBlock(), getStages(), getGroup(),
             split, getNarrow(), getFewRows(), getWarp(), getPrecision(),
             getGemm(), getFewSteps(), getTall(), getFlat(), getSmall());
}

GpuTileAttr GpuTileAttr::withSmall(ArrayRef<int64_t> small) {
  return get(getContext(), getKernel(), getBlock(), getStages(), getGroup(),
             getSplit(), getNarrow(), getFewRows(), getWarp(), getPrecision(),
             getGemm(), getFewSteps(), getTall(), getFlat(), small);
}

LogicalResult GpuTileAttr::verify(
    function_ref<InFlightDiagnostic()> emitError, GpuKernel kernel,
    ArrayRef<int64_t> block, int64_t stages, int64_t group, int64_t split,
    ArrayRef<int64_t> narrow, ArrayRef<int64_t> fewRows, ArrayRef<int64_t> warp,
    F32Precision precision, Gemm gemm, int64_t fewSteps, ArrayRef<int64_t> tall,
    ArrayRef<int64_t> flat, ArrayRef<int64_t> small) {
  if (block.size() != 3)
    return emitError() << "'block' expected 3 sizes [m, n, k], got "
                       << block.size();
  if (!llvm::all_of(block, [](int64_t size) { return size > 0; }) ||
      stages <= 0 || group <= 0 || split <= 0)
    return emitError() << "tile sizes expected positive";
  bool isMma = kernel == GpuKernel::Mma;
  bool mayHaveNoWarp = !isMma;
  bool mayHaveWarp = llvm::is_contained(
      {GpuKernel::Mma, GpuKernel::Gemv, GpuKernel::Gemvt, GpuKernel::Ger},
      kernel);
  if (!(warp.empty() && mayHaveNoWarp) && !(warp.size() == 2 && mayHaveWarp))
    return emitError()
           << "'warp' expected 2 sizes [m, n] with kernel mma, "
              "those or none with gemv, gemvt and ger, and none with "
              "others, got "
           << warp.size();
  if (!llvm::all_of(warp, [](int64_t size) { return size > 0; }))
    return emitError() << "tile sizes expected positive";
  if (precision != F32Precision::Ieee && !isMma)
    return emitError() << "'precision' expected with kernel mma only";
  if (gemm != Gemm::Generated && precision == F32Precision::Tf32x3)
    return emitError() << "'gemm' expected generated with 'precision' = "
                          "tf32x3, got "
                       << stringifyGemm(gemm);
  for (auto [name, numbers] :
       {std::pair("few_rows", fewRows), std::pair("narrow", narrow),
        std::pair("tall", tall), std::pair("flat", flat)})
    if (!arePositiveAndIncrease(numbers))
      return emitError() << "'" << name
                         << "' expected positive numbers that increase";
  if (!small.empty() && !isMma && kernel != GpuKernel::Simt)
    return emitError() << "'small' expected of kernel simt or mma, got "
                       << stringifyGpuKernel(kernel);
  if (small.size() % 2 != 0 ||
      !llvm::all_of(small, [](int64_t size) { return size > 0; }))
    return emitError() << "'small' expected pairs of positive sizes [m, n]";
  if (fewSteps < 0)
    return emitError() << "'few_steps' expected positive, got " << fewSteps;
  if ((!fewRows.empty() || fewSteps != 0) &&
      llvm::is_contained({GpuKernel::Gemv, GpuKernel::Gemvt, GpuKernel::Ger},
                         kernel))
    return emitError() << "'few_rows' and 'few_steps' expected of another "
                          "kernel than "
                       << stringifyGpuKernel(kernel);
  return success();
}
